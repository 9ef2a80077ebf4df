"""Change requests: acts that open a gate further, which wait for a second person."""
