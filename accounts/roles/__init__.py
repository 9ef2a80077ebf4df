"""Staff roles: who holds which, what each may do, and the groups that carry the permissions."""
