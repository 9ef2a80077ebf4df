"""`manage.py check_install`: is everything in place that this install's settings name?

`portal.health` looks at the work of a running system; this looks at its parts, each by using it.
"""
