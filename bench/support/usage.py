"""Handle `--help` before a benchmark starts anything."""

import sys


def show_help(text: str | None) -> None:
    """Print the script's docstring and exit if `--help` is given."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(text)
        raise SystemExit
