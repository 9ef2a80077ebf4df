"""Checks that a list of files is a complete and consistent checkpoint.

`lint` runs before files are hashed, so that a folder with a missing shard is refused before
hundreds of gigabytes are copied; `duplicates` needs the hashes.
"""

from weights.publishing.lint.checks import lint
from weights.publishing.lint.finding import ERROR, WARNING, Finding, Listed, Reader
from weights.publishing.lint.shard_sets import duplicates

__all__ = ["ERROR", "WARNING", "Finding", "Listed", "Reader", "duplicates", "lint"]
