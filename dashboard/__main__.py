"""`python -m dashboard`, the same as `sales-trends`."""

from dashboard.cli.command import main

main()
