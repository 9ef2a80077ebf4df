"""The acts of weights that need a second person's approval (accounts/change_requests)."""
