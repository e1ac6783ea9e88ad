"""`python -m sentinel_core.cli` is the `sentinel` command."""

from sentinel_core.cli import main

main()
