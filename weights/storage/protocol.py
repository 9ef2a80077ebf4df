"""The interface of every store of blobs."""

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from weights.errors import StorageUnavailable, UploadRefused

#: The longest life of a signed URL in seconds.
URL_SECONDS_MOST = 3600

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class StoredObject:
    """The metadata of one object in a store; `size` in bytes.

    `mark` changes with every write to the object: `mtime:inode:size ctime` of a file, the
    entity tag of an S3 object. Marks of two stores cannot be compared. `sha256` is the hash that
    the store itself computed, in hex; empty if it stores no such checksum.
    """

    key: str
    size: int
    mark: str
    modified: datetime
    sha256: str = field(default="", compare=False)

    def written_since(self, mark: str) -> bool:
        """True if it was changed or replaced after `mark` was taken."""
        content = self.mark.partition(" ")[0]
        # Marks of earlier releases are only the modification time of a file.
        return mark.partition(" ")[0] not in {content, content.partition(":")[0]}

    def touched_since(self, mark: str) -> bool:
        """True if only the ctime differs from `mark`, as after chmod or a new hard link."""
        return " " in mark and mark != self.mark and not self.written_since(mark)


class PastTheEnd(StorageUnavailable):
    """The range begins after the last byte."""


class Upload(Protocol):
    """An upload into a store, which has no name yet."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def commit(self, sha256: str) -> None:
        """Make the bytes durable under this name, replacing any others."""


class BlobStorage(Protocol):
    """Blobs by their SHA-256. Every call may raise StorageUnavailable."""

    #: `file:///folder` or `s3://bucket/prefix`.
    address: str
    #: True if the bytes are on this machine; others are served by signed URLs.
    is_local: bool
    #: True if a fixed version is served, whatever was written over it.
    binds_versions: bool

    @property
    def staging_folder(self) -> Path | None:
        """A folder beside the blobs, whose files `sweep` deletes; None in a bucket."""

    def keeps_versions(self) -> bool:
        """Ask the store if it keeps overwritten objects as older versions."""

    def probe(self) -> timedelta:
        """Ask the store for an answer. Returns how far its clock is ahead of ours.

        Raises ClockSkewed if the two differ too much for signatures.
        """

    def create(self) -> None:
        """Create an empty store, if there is none; existing blobs stay.

        Never call it for a store that should hold blobs: its disk may be missing.
        """

    def receive(self, size: int = 0) -> AbstractContextManager[Upload]:
        """Begin an upload; leaving the context without `commit` discards it.

        `size` is the number of bytes, if known, by which S3 splits large objects into parts.
        Raises BlobTooLarge.
        """

    def size(self, sha256: str) -> int | None:
        """Size of the blob in bytes; None if it is not in the store."""

    def open(self, sha256: str, *, version: str = "") -> BinaryIO:
        """Open an unbuffered stream of the bytes, or of one version; raises BlobMissing.

        The stream has additional attributes: `stored`, the StoredObject when it was opened;
        `version` if the store keeps versions; `is_cached`, true if the bytes are already in
        memory; `drop_after_reading()`, which returns a function of (start, length) that drops
        bytes after use; `wait_past_ctime()`, to call before reading bytes that are recorded under
        the mark, so that every later write changes it.
        """

    def stat(self, sha256: str, version: str = "") -> StoredObject | None:
        """The metadata of the blob, or of one version; None if it is not in the store."""

    def list_objects(self) -> Iterator[StoredObject]:
        """Every object of the store once, in no order, without unfinished uploads.

        Keys are relative to the store; those of blobs are `blob_key`s.
        """

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        """Bytes from `start`, fewer than `length` only at the end; raises BlobMissing."""

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        """The first `most` bytes, for a page; takes at most ten seconds."""

    def local_path(self, sha256: str) -> Path | None:
        """The file that a web server on this machine may send; None in a remote store."""

    def signed_url(
        self, sha256: str, *, filename: str, seconds: int, version: str = ""
    ) -> str | None:
        """A URL from which clients download without the portal; None in a local store.

        It expires after `seconds`, an hour, or with the credential that signs it. `version` binds
        it to one version, if the store keeps versions.
        """

    def delete(self, sha256: str) -> None:
        """Delete the blob, if it exists."""

    def sweep(self, older_than: timedelta) -> int:
        """Delete the leftovers of interrupted uploads. Returns their number."""


class Part(NamedTuple):
    """A part as the client reports it; its expected size in bytes."""

    number: int
    etag: str
    size: int

    def refusal(self) -> UploadRefused:
        """The error for a part that did not arrive as the client reports it."""
        return UploadRefused(
            f"part {self.number} did not arrive with {self.size} bytes and the entity tag"
            f" {self.etag[:100]!r}; send the file again"
        )


class PartUpload(Protocol):
    """A part that is being received."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def keep(self) -> str:
        """Put the complete part in place of any earlier one. Returns its entity tag."""


class Assembled(Protocol):
    """All parts of an object as one."""

    def blocks(self) -> Iterator[memoryview | bytes]:
        """The bytes in order, in blocks of bounded size. Call it once."""

    def commit(self, sha256: str) -> None:
        """Name exactly the bytes that `blocks` returned as a blob, durably."""


class PartStore(Protocol):
    """Staging of parts; nothing in it is a blob. `sweep` of the store deletes what is left of it.

    Every call may raise StorageUnavailable or StorageFull.
    """

    def begin(self) -> str:
        """Returns the name of a new object without parts."""

    def urls(self, name: str, count: int, seconds: int) -> list[str] | None:
        """URLs to which a client sends parts 1 to `count`; None in a local store."""

    def receive(self, name: str, number: int) -> "AbstractContextManager[PartUpload]":
        """Begin to receive a part in a local store; leaving it without `keep` discards it."""

    def close(self, name: str, parts: Sequence[Part]) -> None:
        """End the sending; may be repeated. Raises UploadRefused for a missing or other part."""

    def assembled(self, name: str, count: int) -> AbstractContextManager[Assembled]:
        """Open a closed object of `count` parts; raises BlobMissing or UploadRefused."""

    def discard(self, name: str) -> None:
        """Delete all parts, if there are any."""


def blob_key(sha256: str) -> str:
    """The key of the blob inside any store: `aa/bb/<sha256>`."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hex")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
