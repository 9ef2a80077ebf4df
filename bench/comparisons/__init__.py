"""Bases of comparison: what one would run instead, or the minimum that a server does."""
