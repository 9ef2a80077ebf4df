"""What a backup is made of: a folder for each time one was taken, and the blobs of all of them.

FOLDER/blobs/aa/bb/<sha256>      bytes, shared by all backups of the folder
FOLDER/20261126T194501Z/         one backup; it has this name once it is whole
    backup.json                  what belongs to it, with sizes and hashes
    database.dump                of pg_dump, or database.sqlite3
    blobs.txt                    every blob of that moment: SHA-256 and size
    keys/                        keys.env and key files
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from portal.errors import BackupError

FORMAT = "weighbridge-backup/1"
STATEMENT = "backup.json"
BLOB_LIST = "blobs.txt"
KEYS = "keys"
#: The blobs stand in the folder that the backup stands in, wherever both are moved to.
BESIDE = "../blobs"
#: What a backup is called until it is whole.
UNFINISHED = ".part"


class BlobLine(NamedTuple):
    """A blob that a backup's database names; size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Dump:
    """A database on its way into a backup, and the blobs that it names."""

    path: Path
    blobs: list[BlobLine]
    #: What wrote it, such as `PostgreSQL 17`.
    server: str


@dataclass(frozen=True)
class Member:
    """A file of a backup: its path in the folder, bytes and hash."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Statement:
    """What a backup says of itself; `blobs` is the store with its bytes, or `BESIDE` it."""

    taken_at: str
    vendor: str
    server: str
    database: str
    blobs: str
    blob_count: int
    blob_bytes: int
    #: Blobs that were missing or damaged when it was taken.
    damaged: list[str]
    members: list[Member]

    def as_text(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"


def read(folder: Path) -> Statement:
    """The statement of a whole backup, after every file of it was hashed. Raises BackupError."""
    statement = _statement(folder)
    for member in statement.members:
        _compare(folder, member)
    return statement


def identity(folder: Path) -> str:
    """What tells this backup from every other: its statement's SHA-256."""
    return hashlib.sha256((folder / STATEMENT).read_bytes()).hexdigest()


def blobs_at(folder: Path, statement: Statement, named: str = "") -> str:
    """The address of the store with a backup's blobs; `named` where they were moved to."""
    if named or statement.blobs != BESIDE:
        return named or statement.blobs
    return f"file://{(folder / BESIDE).resolve()}"


def _statement(folder: Path) -> Statement:
    try:
        told: dict[str, Any] = json.loads((folder / STATEMENT).read_text())
        if told.pop("format") != FORMAT:
            raise BackupError(f"{folder} is a backup of another format than {FORMAT}")
        members = [Member(**member) for member in told.pop("members")]
        return Statement(**told, members=members)
    except FileNotFoundError as error:
        raise BackupError(
            f"{folder} is no whole backup: it has no {STATEMENT}; name the folder of one time,"
            " such as FOLDER/20261126T194501Z"
        ) from error
    except OSError as error:
        raise BackupError(f"{folder} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder}/{STATEMENT} is damaged; take another backup") from error


def _compare(folder: Path, member: Member) -> None:
    path = folder / member.path
    if folder.resolve() not in path.resolve().parents:
        raise BackupError(f"{STATEMENT} names {member.path}, outside of {folder}")
    try:
        found = measured(folder, path)
    except OSError as error:
        raise BackupError(f"{path} cannot be read ({error.strerror})") from error
    if found != member:
        raise BackupError(f"{path} is damaged: it is not what was written; use another backup")


def measured(folder: Path, path: Path) -> Member:
    """A file as the statement lists it."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(str(path.relative_to(folder)), file.tell(), digest)


def write_blob_list(path: Path, blobs: Iterable[BlobLine]) -> None:
    """A line each, as it stands; durable."""
    write(path, "".join(f"{blob.sha256} {blob.size}\n" for blob in blobs))


def blob_list(folder: Path) -> Iterator[BlobLine]:
    """The blobs of a backup that was read."""
    for line in (folder / BLOB_LIST).read_text().splitlines():
        sha256, size = line.split()
        yield BlobLine(sha256, int(size))


def write(path: Path, content: str | bytes) -> None:
    """A new file that its owner alone may read, on the disk when this returns."""
    data = content.encode() if isinstance(content, str) else content
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def settle(path: Path) -> None:
    """Bring a file that another program wrote, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
