"""Bases of comparison: what a user would run instead, or the least that a server can do."""
