"""The training logbook: dated events of checkpoints and families, and curves of their training."""
