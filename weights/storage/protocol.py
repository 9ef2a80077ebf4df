"""The interface of all blob stores."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from weights.errors import StorageUnavailable, UploadRefused

#: The longest lifetime of a signed URL in seconds.
URL_SECONDS_MOST = 3600

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredObject:
    """The metadata of one object in a store; `size` in bytes.

    `mark` changes with every write to the object: `mtime:inode:size ctime` of a file, the
    entity tag of an S3 object. Marks of two stores cannot be compared. `sha256` is the hash in hex
    that the store itself computed, or "" if it has none.
    """

    key: str
    size: int
    mark: str
    modified: datetime
    sha256: str = field(default="", compare=False)

    def written_since(self, mark: str) -> bool:
        """True if it was changed or replaced since it had this mark."""
        content = self.mark.partition(" ")[0]
        # Marks of earlier releases are only a file's modification time.
        return mark.partition(" ")[0] not in {content, content.partition(":")[0]}

    def touched_since(self, mark: str) -> bool:
        """True if only the ctime differs from `mark`, as after chmod or a new hard link."""
        return " " in mark and mark != self.mark and not self.written_since(mark)


class PastTheEnd(StorageUnavailable):
    """The range starts after the last byte."""


class Upload(Protocol):
    """An upload to a store, which has no name yet."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def commit(self, sha256: str) -> None:
        """Store the bytes durably under this name, replacing any others."""


class BlobStorage(Protocol):
    """Blobs by their SHA-256. Every call may raise StorageUnavailable."""

    #: `file:///folder` or `s3://bucket/prefix`.
    address: str
    #: True if the bytes are on this machine; otherwise signed URLs serve them.
    is_local: bool
    #: True if a fixed version is served, even if it was overwritten.
    binds_versions: bool

    @property
    def staging_folder(self) -> Path | None:
        """A folder next to the blobs, whose old files `sweep` deletes; None for a bucket."""

    def keeps_versions(self) -> bool:
        """Ask the store whether it keeps overwritten objects as older versions."""

    def probe(self) -> timedelta:
        """Check that the store answers; returns how far its clock is ahead of ours.

        Raises ClockSkewed if the clocks differ too much for signatures.
        """

    def create(self) -> None:
        """Create an empty store if there is none; existing blobs stay.

        Never call this for a store that should have blobs: its disk may be missing.
        """

    def receive(self, size: int = 0) -> AbstractContextManager[Upload]:
        """Start an upload; leaving the context without `commit` discards it.

        `size` is the number of bytes, if known; it determines S3's part size. Raises
        BlobTooLarge.
        """

    def size(self, sha256: str) -> int | None:
        """The blob's size in bytes; None if it is not in the store."""

    def open(self, sha256: str, *, version: str = "") -> BinaryIO:
        """Open an unbuffered stream of the bytes, or of one version; raises BlobMissing.

        The stream has additional attributes: `stored`, the StoredObject at opening; `version` if
        the store keeps versions; `is_cached`, true if the bytes are already in memory;
        `drop_after_reading()`, which returns a function of (start, length) that drops used bytes
        from the cache; `wait_past_ctime()`, to call before reading if the mark is recorded, so that
        every later write changes it.
        """

    def stat(self, sha256: str, version: str = "") -> StoredObject | None:
        """The metadata of the blob, or of one version; None if it is missing."""

    def list_objects(self) -> Iterator[StoredObject]:
        """Yields every object of the store once, in any order, without unfinished uploads.

        Keys are relative to the store; those of blobs are `blob_key`s.
        """

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        """Bytes from `start`, fewer than `length` only at the end; raises BlobMissing."""

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        """The first `most` bytes, for a page, within ten seconds."""

    def local_path(self, sha256: str) -> Path | None:
        """The file, for a web server on this machine to send; None for a remote store."""

    def signed_url(
        self, sha256: str, *, filename: str, seconds: int, version: str = ""
    ) -> str | None:
        """A URL to download without the portal; None for a local store.

        It expires after `seconds`, after an hour, or with the signing credential. `version` binds
        it to one version, if the store keeps versions.
        """

    def delete(self, sha256: str) -> None:
        """Delete the blob, if it exists."""

    def sweep(self, older_than: timedelta) -> int:
        """Delete leftovers of interrupted uploads; returns their number."""


class Part(NamedTuple):
    """A part as the client reports it; `size` is the expected size in bytes."""

    number: int
    etag: str
    size: int

    def refusal(self) -> UploadRefused:
        """The error for a part that did not arrive as reported."""
        return UploadRefused(
            f"part {self.number} did not arrive with {self.size} bytes and the entity tag"
            f" {self.etag[:100]!r}; send the file again"
        )


class PartUpload(Protocol):
    """A part that is being received."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def keep(self) -> str:
        """Store the complete part, replacing any earlier one; returns its entity tag."""


class Assembled(Protocol):
    """All parts of an object, as one."""

    def blocks(self) -> Iterator[memoryview | bytes]:
        """Yields the bytes in order, in blocks of limited size. Call it once."""

    def commit(self, sha256: str) -> None:
        """Store exactly the bytes that `blocks` returned as a blob, durably."""


class PartStore(Protocol):
    """The staging area of parts, which contains no blobs. The store's `sweep` deletes leftovers.

    Every call may raise StorageUnavailable or StorageFull.
    """

    def begin(self) -> str:
        """Start a new object without parts; returns its name."""

    def urls(self, name: str, count: int, seconds: int) -> list[str] | None:
        """URLs to which a client sends parts 1 to `count`; None for a local store."""

    def receive(self, name: str, number: int) -> "AbstractContextManager[PartUpload]":
        """Start receiving a part in a local store; leaving it without `keep` discards it."""

    def close(self, name: str, parts: Sequence[Part]) -> None:
        """Complete the object. Idempotent. Raises UploadRefused for a missing or wrong part."""

    def assembled(self, name: str, count: int) -> AbstractContextManager[Assembled]:
        """Open a completed object of `count` parts; raises BlobMissing or UploadRefused."""

    def discard(self, name: str) -> None:
        """Delete all parts, if there are any."""


def blob_key(sha256: str) -> str:
    """The key of the blob in any store: `aa/bb/<sha256>`."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hex")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
