"""The acts of weights that wait for a second person (accounts/change_requests)."""
