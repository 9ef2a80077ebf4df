"""Rate limits and counts, shared by all processes in Redis."""
