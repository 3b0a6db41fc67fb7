"""`python -m dashboard`, the same as `sales-trends`."""

from dashboard.cli import main

main()
