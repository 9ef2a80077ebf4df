"""Background work: tasks queued after commit, periodic steps, failures, row locks, outages."""
