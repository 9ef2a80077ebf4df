"""Inspection of weight files without loading them; nothing is unpickled or extracted.

`runner.py` runs the parsers of `formats/` in a sandboxed child process.
"""
