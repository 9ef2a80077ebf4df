"""Audit events of the whole install."""
