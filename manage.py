#!/usr/bin/env python
"""Run one of the portal's commands; `manage.py help` lists them."""

import os
import sys


def main() -> None:
    """Use the embedded install (`make run`) unless the environment names other settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings.embedded")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
