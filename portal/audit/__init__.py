"""The audit events of an install."""
