"""Reports from the world: taken in, triaged, and what they lead to."""
