"""Detects formats by content, whatever the file's name.

Loaders such as joblib and `numpy.load` ignore names, and users rename files. Each module
recognises what a loader would open and finds what it would run; `detection.py` calls them all.
"""
