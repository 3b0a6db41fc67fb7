"""Parts of the page of live orders."""
