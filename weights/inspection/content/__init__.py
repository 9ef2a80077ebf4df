"""Detection of formats by content, for files of any name.

Loaders such as joblib and `numpy.load` take no notice of names, and users rename files. Each module
recognises what a loader would open, and finds what it would run then: `detection.py` asks them all.
"""
