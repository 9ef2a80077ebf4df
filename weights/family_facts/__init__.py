"""Sourced statements about a family: footprint, openness, limitations, citation.

Each is a part of `Family.facts`; its module documents the JSON and refuses data without a source.
"""
