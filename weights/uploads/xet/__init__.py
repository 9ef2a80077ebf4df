"""Xet: the Hub's chunk-based upload protocol. Files are rebuilt from chunks into plain blobs."""
