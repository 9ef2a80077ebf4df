"""Integrity: verification, scrub, quarantine and suspended blobs."""
