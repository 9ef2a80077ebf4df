"""Is this list of files a whole and sound checkpoint? Plain Python, no database.

What can be told before the bytes were hashed is asked by `lint`, so that a folder with a gap
is refused before hundreds of gigabytes are copied; `duplicates` needs the hashes.
"""

from weights.publishing.lint.checks import lint
from weights.publishing.lint.finding import ERROR, WARNING, Finding, Listed, Reader
from weights.publishing.lint.shard_sets import duplicates

__all__ = ["ERROR", "WARNING", "Finding", "Listed", "Reader", "duplicates", "lint"]
