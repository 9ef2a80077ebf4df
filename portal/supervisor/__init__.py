"""`make run`: quickstart, supervised processes, the first account, preparation."""
