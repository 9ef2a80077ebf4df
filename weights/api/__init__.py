"""The portal's JSON API below /api/v1/, with an OpenAPI document and problem details."""
