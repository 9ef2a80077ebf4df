"""Our own JSON API below /api/v1/: thin doors that speak OpenAPI and problem details."""
