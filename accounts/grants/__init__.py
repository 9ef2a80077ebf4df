"""Grants of access: lifecycle, expiry, break-glass access, outstanding links."""
