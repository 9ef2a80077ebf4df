"""Reads the MD5 lists that publishers provide with their shards.

They detect transfer errors only; MD5 does not protect against tampering.
"""

import csv
import posixpath
import re

from weights.errors import SourceUnusable
from weights.publishing.source_folder import Source, opened

#: Bytes; a larger CSV file is not a list of shards.
MAX_LIST_BYTES = 10_000_000

_HEADER = ["shard", "md5sum"]
_MD5 = re.compile(r"[0-9a-f]{32}")


def published_md5s(sources: list[Source]) -> dict[str, str]:
    """MD5 by path, from every `shard,md5sum` list among the files."""
    found: dict[str, str] = {}
    for source in sources:
        if source.path.endswith(".csv") and source.size <= MAX_LIST_BYTES:
            found |= _read(source)
    return found


def _read(source: Source) -> dict[str, str]:
    with opened(source) as descriptor, open(descriptor, "rb", closefd=False) as stream:
        return parse(source.path, stream.read(MAX_LIST_BYTES))


def parse(path: str, content: bytes) -> dict[str, str]:
    """MD5 by path of each file that the list names; empty for any other table."""
    lines = content.decode(errors="replace").splitlines()
    if not lines or lines[0].strip().split(",") != _HEADER:
        return {}
    folder = posixpath.dirname(path)
    sums = {}
    for number, row in enumerate(csv.reader(lines[1:]), start=2):
        if not row:
            continue
        if len(row) != 2 or not _MD5.fullmatch(row[1].strip().lower()):
            raise SourceUnusable(f"{path} line {number} must hold a file name and its MD5")
        sums[posixpath.join(folder, row[0].strip())] = row[1].strip().lower()
    return sums
