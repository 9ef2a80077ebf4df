"""The files of a backup: one folder per backup, beside the blobs that all share.

FOLDER/blobs/aa/bb/<sha256>      bytes, shared by all backups of the folder
FOLDER/20261126T194501Z/         one backup; it gets this name once it is complete
    backup.json                  the index: the other files, with sizes and hashes
    backup.sig                   the signature of backup.json (signature.py)
    database.dump                of pg_dump, or database.sqlite3
    blobs.txt                    every blob at that time: SHA-256 and size
    keys/                        keys.env and key files
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from portal.databases.dumps import BlobLine
from portal.errors import BackupError

FORMAT = "weighbridge-backup/2"
#: The format of releases that did not sign backups.
UNSIGNED_FORMAT = "weighbridge-backup/1"
INDEX = "backup.json"
SIGNATURE = "backup.sig"
BLOB_LIST = "blobs.txt"
KEYS = "keys"
#: The blobs are beside the backup, even after both are moved.
BESIDE = "../blobs"
#: The suffix of a backup's folder until it is complete.
UNFINISHED = ".part"


@dataclass(frozen=True)
class Member:
    """A file of a backup: path relative to its folder, size in bytes, SHA-256 in hexadecimal."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Fault:
    """A file that differs from the index: path relative to its folder, and a sentence."""

    path: str
    reason: str


@dataclass(frozen=True)
class Index:
    """The content of `backup.json`; `blobs` is the address of the store, or `BESIDE`."""

    taken_at: str
    vendor: str
    server: str
    database: str
    blobs: str
    blob_count: int
    blob_bytes: int
    #: Blobs that could not be copied, each as `<sha256>: <reason>`.
    damaged: list[str]
    members: list[Member]
    #: Sealed rows of the audit trail; None in backups of the older format.
    sealed_rows: int | None = None

    def as_text(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n"

    def summary(self) -> str:
        return f"backup: {self.server}, taken {self.taken_at}, every file as it was written"


def read(folder: Path, *, without_keys: bool = False) -> Index:
    """Return the index after hashing every file of the backup. Raises BackupError.

    `without_keys` leaves out the keys, which may then be damaged or missing.
    """
    index = read_index(folder)
    fault = next(faults(folder, index, without_keys=without_keys), None)
    if fault is not None:
        is_key = _is_key(fault.path)
        others = ", or add --without-keys to restore, which makes new keys" if is_key else ""
        raise BackupError(f"{fault.reason}; use another backup{others}")
    return index


def faults(folder: Path, index: Index, *, without_keys: bool = False) -> Iterator[Fault]:
    """Yield each file that differs from the index. Raises BackupError."""
    for member in index.members:
        if not (without_keys and _is_key(member.path)):
            yield from _faults(folder, member)
    listed = {INDEX, SIGNATURE, *(member.path for member in index.members)}
    for path in sorted(path for path in folder.rglob("*") if not path.is_dir()):
        name = path.relative_to(folder).as_posix()
        if name not in listed and not (without_keys and _is_key(name)):
            yield Fault(name, f"{path} was not part of the backup when it was made")


def _is_key(path: str) -> bool:
    return path.startswith(f"{KEYS}/")


def identity(folder: Path) -> str:
    """The SHA-256 of the index, which differs for every backup."""
    return hashlib.sha256((folder / INDEX).read_bytes()).hexdigest()


def blob_address(folder: Path, index: Index, moved_to: str = "") -> str:
    """The address of the store with the backup's blobs; `moved_to` overrides the index."""
    if moved_to or index.blobs != BESIDE:
        return moved_to or index.blobs
    return f"file://{(folder / BESIDE).resolve()}"


def blob_list_text(blobs: list[BlobLine]) -> str:
    return "".join(f"{blob.sha256} {blob.size}\n" for blob in blobs)


def blob_list(folder: Path) -> Iterator[BlobLine]:
    """The blobs that the backup's database names."""
    for line in (folder / BLOB_LIST).read_text().splitlines():
        sha256, size = line.split()
        yield BlobLine(sha256, int(size))


def member(folder: Path, path: Path) -> Member:
    """Hash a file of the backup in `folder`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return Member(str(path.relative_to(folder)), file.tell(), digest)


def read_index(folder: Path) -> Index:
    """Return the index without reading the other files. Raises BackupError."""
    try:
        content: dict[str, Any] = json.loads((folder / INDEX).read_text())
        if content.pop("format") not in {FORMAT, UNSIGNED_FORMAT}:
            raise BackupError(f"{folder} has another backup format than {FORMAT}")
        members = [Member(**each) for each in content.pop("members")]
        return Index(**content, members=members)
    except FileNotFoundError as error:
        raise BackupError(
            f"{folder} is not a complete backup: it has no {INDEX}; use the folder of one backup,"
            " such as FOLDER/20261126T194501Z"
        ) from error
    except OSError as error:
        raise BackupError(f"{folder} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupError(f"{folder}/{INDEX} is damaged; take another backup") from error


def _faults(folder: Path, expected: Member) -> Iterator[Fault]:
    path = folder / expected.path
    if folder.resolve() not in path.resolve().parents:
        raise BackupError(f"{INDEX} names {expected.path}, outside of {folder}")
    try:
        actual = member(folder, path)
    except OSError as error:
        yield Fault(expected.path, f"{path} cannot be read ({error.strerror})")
        return
    if actual != expected:
        yield Fault(expected.path, f"{path} is damaged: it has changed since it was written")
