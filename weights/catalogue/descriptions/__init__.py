"""A checkpoint's description: what staff write, what its card states, what its files show."""
