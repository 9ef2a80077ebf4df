"""Manifests of revisions: their text and ids, the published document, signatures and keys."""
