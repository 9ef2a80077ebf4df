"""Known issues and findings that staff publish about checkpoints."""
