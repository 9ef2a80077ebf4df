"""The interface of every store of blobs."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from weights.errors import StorageUnavailable

#: The longest life of a signed URL in seconds.
URL_SECONDS_MOST = 3600

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredObject:
    """The metadata of one object in a store; `size` in bytes.

    `mark` changes whenever somebody writes to the object: `mtime:inode:size ctime` of a file, the
    entity tag of an S3 object. Marks of two stores cannot be compared. `sha256` is what the store
    itself computed of all the bytes, in hex; empty where it keeps no such checksum.
    """

    key: str
    size: int
    mark: str
    modified: datetime
    sha256: str = field(default="", compare=False)

    def written_since(self, mark: str) -> bool:
        """True if somebody wrote to it, or replaced it, after `mark` was taken."""
        content = self.mark.partition(" ")[0]
        # Marks of earlier releases are the modification time of a file and nothing else.
        return mark.partition(" ")[0] not in {content, content.partition(":")[0]}

    def touched_since(self, mark: str) -> bool:
        """True if the ctime alone differs from `mark`, as after chmod or a new hard link."""
        return " " in mark and mark != self.mark and not self.written_since(mark)


class PastTheEnd(StorageUnavailable):
    """The range begins behind the last byte."""


class Upload(Protocol):
    """Bytes on their way into a store, without a name yet."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def commit(self, sha256: str) -> None:
        """Make the bytes durable under this name, in place of any others."""


class BlobStorage(Protocol):
    """Blobs by their SHA-256. Every call may raise StorageUnavailable."""

    #: `file:///folder` or `s3://bucket/prefix`.
    address: str
    #: Whether the bytes lie on this machine; others are served by signed URLs.
    is_local: bool
    #: Whether one version is served, whatever was written over it.
    binds_versions: bool

    def keeps_versions(self) -> bool:
        """Ask the store whether it keeps what is written over as an older version."""

    def create(self) -> None:
        """Create an empty store, if there is none; existing blobs stay.

        Never call it for a store that should hold blobs: it may be on a disk that is away.
        """

    def receive(self, size: int = 0) -> AbstractContextManager[Upload]:
        """Begin an upload; leaving the context without `commit` discards it.

        `size` is the number of bytes, where it is known: S3 cuts large objects into parts by it.
        Raises BlobTooLarge.
        """

    def size(self, sha256: str) -> int | None:
        """Bytes of the blob; None when the store does not hold it."""

    def open(self, sha256: str, *, version: str = "") -> BinaryIO:
        """Open an unbuffered stream of the bytes, or of one version; raises BlobMissing.

        The stream has more than a file has: `stored`, the StoredObject when it was opened;
        `version` where the store keeps versions; `is_cached`, whether the bytes are in memory
        already; `drop_after_reading()`, for whoever reads to the end once, which returns a
        function of (start, length) to call with bytes that are done with; `wait_past_ctime()`, to
        call before reading what is then recorded under the mark: every later write changes it.
        """

    def stat(self, sha256: str, version: str = "") -> StoredObject | None:
        """The metadata of the blob, or of one version; None when the store does not hold it."""

    def list_objects(self) -> Iterator[StoredObject]:
        """Every object in the place of the blobs, once, in no order, without unfinished uploads.

        Keys are relative to the store; those of blobs are `blob_key`s.
        """

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        """Bytes from `start`, fewer than `length` only at the end; raises BlobMissing."""

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        """The first `most` bytes for a page that somebody waits for, within ten seconds."""

    def local_path(self, sha256: str) -> Path | None:
        """The file that a web server on this machine may send; None in a remote store."""

    def signed_url(
        self, sha256: str, *, filename: str, seconds: int, version: str = ""
    ) -> str | None:
        """A URL from which clients download without the portal; None in a local store.

        It expires after `seconds`, an hour, or with the credential that signs it. `version` binds
        it to one version, where the store keeps versions.
        """

    def delete(self, sha256: str) -> None:
        """Delete the blob, if it exists."""

    def sweep(self, older_than: timedelta) -> int:
        """Delete what broken uploads left behind. Returns the number of leftovers."""


def blob_key(sha256: str) -> str:
    """The key of the blob inside any store: `aa/bb/<sha256>`."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hex")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
