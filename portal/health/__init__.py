"""The findings of the health page."""
