"""The parts of a database dump."""

from pathlib import Path
from typing import NamedTuple


class BlobLine(NamedTuple):
    """A blob in a dumped database; `size` is in bytes."""

    sha256: str
    size: int


class Dump(NamedTuple):
    """A dumped database and its list of blobs."""

    path: Path
    blobs: list[BlobLine]
    #: Sealed rows of the audit trail.
    sealed_rows: int
    #: The server that wrote it, such as `PostgreSQL 17`.
    server: str
