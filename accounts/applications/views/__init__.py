"""Applying for a tier and following it: where it starts, its form, its documents, its page."""
