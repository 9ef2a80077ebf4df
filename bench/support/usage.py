"""Answer `--help` before a benchmark starts anything."""

import sys


def show_help(text: str | None) -> None:
    """Print the script's docstring and exit if the command line asks for help."""
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(text)
        raise SystemExit
