"""Schemas of requests (`…In`) and responses. Sizes are bytes, times are UTC, ids are UUIDs."""
