"""Be what `python -m muybridge` runs."""

from muybridge.cli import main

main()
