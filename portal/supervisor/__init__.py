"""`make run`: quickstart, supervised processes, the first account, the install's lock."""
