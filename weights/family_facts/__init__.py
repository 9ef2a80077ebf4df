"""The sourced statements of a family: footprint, openness, limitations, citation.

Each is a part of `Family.facts`; its module describes the JSON and refuses what has no source.
"""
