#!/usr/bin/env python
"""Run one of the portal's commands; `manage.py help` lists them."""

from portal.management.command_line import main

if __name__ == "__main__":
    main()
