"""Change requests: acts that open a gate further, which a second person must confirm."""
