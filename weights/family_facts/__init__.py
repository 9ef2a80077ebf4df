"""What a family states about itself with sources: footprint, openness, limitations, citation.

Each is a part of `Family.facts`; its module describes the JSON and refuses what has no source.
"""
