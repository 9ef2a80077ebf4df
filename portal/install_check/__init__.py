"""`manage.py check_install`: check that everything in the install's settings exists and works.

`portal.health` looks at the work of a running system; this package tries each of its parts.
"""
