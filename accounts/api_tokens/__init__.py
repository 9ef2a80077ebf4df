"""API tokens: format, scopes, expiry, leaked tokens."""
