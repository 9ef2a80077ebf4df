"""Parsers of file formats, which read files without loading them."""
