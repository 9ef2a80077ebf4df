"""Will it run? Estimates the accelerator memory that a checkpoint needs, and where it fits."""
