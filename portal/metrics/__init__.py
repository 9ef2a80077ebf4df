"""`/metrics` for Prometheus: requests, decisions of the gate, and the state of the portal."""
