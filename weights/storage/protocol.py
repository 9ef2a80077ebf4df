"""What every store of blobs can do, whatever it is made of."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from weights.errors import StorageUnavailable

#: Seconds that a storage URL may live, whoever asks.
URL_SECONDS_MOST = 3600

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Stored:
    """What a store says of one thing in it, without reading it.

    `mark` changes whenever somebody writes to it: `mtime:inode:size ctime` of a file, an S3
    object's entity tag. Marks of two stores say nothing of each other. `sha256` is what
    the store itself computed of all the bytes, in hex; empty where it keeps no such thing.
    """

    key: str
    size: int
    mark: str
    modified: datetime
    sha256: str = field(default="", compare=False)

    def written_since(self, mark: str) -> bool:
        """Whether somebody wrote to it, or replaced it, after `mark` was taken."""
        content = self.mark.partition(" ")[0]
        # Marks of earlier releases are the modification time of a file and nothing else.
        return mark.partition(" ")[0] not in {content, content.partition(":")[0]}

    def touched_since(self, mark: str) -> bool:
        """Whether the ctime alone differs from `mark`, as after chmod or a new hard link."""
        return " " in mark and mark != self.mark and not self.written_since(mark)


class PastTheEnd(StorageUnavailable):
    """What was asked for begins behind the last byte."""


class Upload(Protocol):
    """Bytes on their way in, under no name yet."""

    def write(self, chunk: bytes | memoryview) -> None:
        """Append; raises StorageFull or StorageUnavailable."""

    def commit(self, sha256: str) -> None:
        """Make the bytes durable and give them their name, over any that stood there."""


class BlobStorage(Protocol):
    """Blobs under their SHA-256. Every call may raise StorageUnavailable."""

    #: `file:///folder` or `s3://bucket/prefix`.
    address: str
    #: Whether the bytes lie on this machine; from elsewhere they leave by signed addresses.
    is_local: bool
    #: Whether people are given the version that they are sent to, whatever lies over it by now.
    binds_versions: bool

    def keeps_versions(self) -> bool:
        """Whether what is written over stays, as an older version; asked of the store now."""

    def set_up(self) -> None:
        """Begin an empty store here, if there is none; blobs that are there stay.

        Never of a store that should hold some already: it may be on a disk that is away.
        """

    def receive(self, size: int = 0) -> AbstractContextManager[Upload]:
        """Take bytes in; leaving without `commit` leaves nothing behind.

        `size` is how many will come, where that is known: large objects of S3 are cut by it.
        Raises BlobTooLarge.
        """

    def size(self, sha256: str) -> int | None:
        """Bytes; None when the store does not hold the blob."""

    def open(self, sha256: str, *, start: int = 0, version: str = "") -> BinaryIO:
        """The bytes from `start` on as an unbuffered stream; raises BlobMissing, PastTheEnd.

        `version` asks for one state of the object, where the store keeps versions.

        It tells as `stored` how the blob stood there when it was opened, and as `version` which
        one it reads, where the store keeps versions; as `is_at_hand` whether its bytes are in
        memory already. Whoever reads it once and to the end asks for `forgetful()`: a function
        of (start, length) that says that these bytes are done with. Whoever keeps the mark for
        what is read calls `wait_a_tick()` first: every later write then changes the mark.
        """

    def look(self, sha256: str, version: str = "") -> Stored | None:
        """How the blob, or this version of it, stands there now; None when it does not."""

    def everything(self) -> Iterator[Stored]:
        """All that stands where blobs do, each once, in no order; unfinished uploads left out.

        Keys are below the store's own place; those of blobs are `blob_key`s.
        """

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        """Bytes from `start` on, fewer than `length` only at the end; raises BlobMissing.

        `version` asks for one state of the object, where the store keeps versions.
        """

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        """The first bytes, for somebody who waits: they come within ten seconds or not at all."""

    def local_path(self, sha256: str) -> Path | None:
        """Where a web server on this machine finds the blob; None in a remote store."""

    def signed_url(
        self, sha256: str, *, filename: str, seconds: int, version: str = ""
    ) -> str | None:
        """An address that gives the bytes without the portal; None in a local store.

        It lives at most `seconds`, an hour, and as long as the credential that signs it.
        `version` binds it to one state of the object, where the store keeps versions.
        """

    def delete(self, sha256: str) -> None:
        """Forget the blob, if it is there."""

    def sweep(self, older_than: timedelta) -> int:
        """Remove what broken uploads left behind; the number of leftovers removed."""


def blob_key(sha256: str) -> str:
    """The blob's name inside any store: `aa/bb/<sha256>`."""
    if not _SHA256.fullmatch(sha256):
        raise ValueError(f"{sha256!r} is not a SHA-256 in lower-case hex")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
