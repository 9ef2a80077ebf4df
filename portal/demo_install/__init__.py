"""Fills an install of its own with five invented months, for looking at a portal in use."""
