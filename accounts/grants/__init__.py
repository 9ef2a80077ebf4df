"""Grants: who holds what, access rule, expiry, break-glass, outstanding links."""
