"""Staff roles: assignments, permissions, and their groups."""
