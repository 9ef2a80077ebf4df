"""The catalogue: families, checkpoints, cards, facts, search, and their pages."""
