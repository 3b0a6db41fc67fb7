"""Parts of the page of revenue."""
