"""File formats, each read without loading it: plain Python, no records."""
