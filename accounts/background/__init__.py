"""Background work: queue after commit, heartbeats, sweeps, locks, outages."""
