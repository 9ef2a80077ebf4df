"""Xet: the Hub clients' upload protocol of chunks, rebuilt into plain blobs."""
