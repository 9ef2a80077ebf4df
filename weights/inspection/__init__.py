"""What a weight file is made of, found without loading it: plain Python, no records.

The parsers here are run by a child process with bounds (`runner.py`); nothing is unpickled,
nothing is extracted.
"""
