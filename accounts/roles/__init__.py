"""Staff roles: assignments, permissions, and the groups that carry them."""
