"""Parsers of file formats, which read a file without loading it."""
