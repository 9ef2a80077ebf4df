"""Stores blobs as files in a folder."""

import errno
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

from weights.errors import BlobMissing, StorageFull, StorageUnavailable, WeightsError
from weights.storage.file_reader import FileReader, stored_object
from weights.storage.protocol import StoredObject, blob_key

log = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EDQUOT}
#: A folder that file systems reserve in their root.
_LOST_AND_FOUND = "lost+found"
#: Names of the folders for blobs.
_BLOB_FOLDER = re.compile(r"[0-9a-f]{2}")


class FileStorage:
    """Stores each blob at `<root>/aa/bb/<sha256>`, by renaming a complete temporary file.

    Only its user may read it or, if the root is setgid, also its group, such as a web server's.
    """

    is_local = True
    binds_versions = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = f"file://{root}"
        self._prefix = f"{root}/"
        # On the same file system as the blobs, so that the rename is atomic. It also distinguishes
        # a store from the empty mount point of a disk.
        self.staging_folder = root / ".uploads"
        # Folders that this process has synced to the disk.
        self._durable: set[Path] = set()

    def keeps_versions(self) -> bool:
        return False

    def probe(self) -> timedelta:
        """Require that the staging folder exists and is writable; its clock is ours."""
        if not self.staging_folder.is_dir():
            raise self._no_store()
        if not os.access(self.staging_folder, os.W_OK | os.X_OK):
            raise StorageUnavailable(f"{self.staging_folder} cannot be written to")
        return timedelta()

    def create(self) -> None:
        with self.translated_errors():
            _make_folder(self.staging_folder, Path(self.root.anchor))
            self.make_private()

    @contextmanager
    def receive(self, size: int = 0) -> Iterator["FileUpload"]:
        upload = self._begin_upload()
        try:
            yield upload
        finally:
            upload.discard()

    def _begin_upload(self) -> "FileUpload":
        try:
            descriptor, name = tempfile.mkstemp(dir=self.staging_folder)
        except FileNotFoundError as error:
            raise self._no_store() from error
        except OSError as error:
            raise _translated(error, self.root) from error
        return FileUpload(self, descriptor, Path(name))

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Translate errors of the operating system into the domain's."""
        try:
            yield
        except OSError as error:
            raise _translated(error, self.root) from error

    def make_blob_folder(self, folder: Path) -> None:
        """Create a blob's folder durably.

        Another process may have created it without having synced it yet.
        """
        for one in (folder.parent, folder):
            if one in self._durable and one.is_dir():
                continue
            with suppress(FileExistsError):
                one.mkdir(mode=0o700)
                if self.is_open_to_group():
                    one.chmod(0o2750)
            _sync_folder(one.parent)
            self._durable.add(one)

    def is_open_to_group(self) -> bool:
        """True if the root is setgid, so that everything below belongs to its group."""
        return bool(self.root.stat().st_mode & stat.S_ISGID)

    def make_private(self) -> None:
        """Remove other users' permissions, which an older release or the operator set."""
        with suppress(FileNotFoundError, NotADirectoryError):
            mode = stat.S_IMODE(self.root.stat().st_mode)
            allowed = mode & (0o7750 if self.is_open_to_group() else 0o7700)
            if allowed == mode:
                return
            try:
                self.root.chmod(allowed)
            except PermissionError:
                log.warning(
                    "other users may read the store at %s; set its mode to %o", self.root, allowed
                )

    def size(self, sha256: str) -> int | None:
        found = self.stat(sha256)
        return None if found is None else found.size

    def stat(self, sha256: str, version: str = "") -> StoredObject | None:
        try:
            key = blob_key(sha256)
            # A string, since each HEAD request calls this and a `Path` costs more than the call.
            return stored_object(key, os.stat(f"{self._prefix}{key}"))  # noqa: PTH116
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _translated(error, self.root) from error

    def list_objects(self) -> Iterator[StoredObject]:
        if not self.staging_folder.is_dir():
            raise self._no_store()
        leave_out = {self.staging_folder.name, _LOST_AND_FOUND}
        with self.translated_errors():
            yield from _walk(self.root, "", folders=2, leave_out=leave_out)

    def open(self, sha256: str, *, version: str = "") -> BinaryIO:
        try:
            return cast(BinaryIO, FileReader(self.local_path(sha256), blob_key(sha256)))
        except FileNotFoundError as error:
            raise self._absence(sha256) from error
        except OSError as error:
            raise _translated(error, self.root) from error

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        content = bytearray(length)
        count = 0
        with self.open(sha256) as stream:
            while part := os.preadv(stream.fileno(), [memoryview(content)[count:]], start + count):
                count += part
        return bytes(content[:count])

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        with self.open(sha256) as stream:
            return stream.read(most)

    def _absence(self, sha256: str) -> WeightsError:
        """The error for a missing file: a lost blob, or a missing store."""
        if self.staging_folder.is_dir():
            return BlobMissing(f"the store has no blob {sha256}")
        return self._no_store()

    def _no_store(self) -> StorageUnavailable:
        return StorageUnavailable(
            f"no store at {self.root} (it has no {self.staging_folder.name}); is its disk mounted?"
        )

    def local_path(self, sha256: str) -> Path:
        return Path(f"{self._prefix}{blob_key(sha256)}")  # joining strings costs half as much

    def signed_url(self, sha256: str, *, filename: str, seconds: int, version: str = "") -> None:
        return None

    def delete(self, sha256: str) -> None:
        with self.translated_errors():
            self.local_path(sha256).unlink(missing_ok=True)

    def sweep(self, older_than: timedelta) -> int:
        limit = time.time() - older_than.total_seconds()
        removed = 0
        for leftover in self.staging_folder.glob("*"):
            with suppress(FileNotFoundError):  # an upload that has ended
                if leftover.stat().st_mtime < limit:
                    leftover.unlink()
                    removed += 1
        return removed


class FileUpload:
    """A temporary file that becomes a blob on `commit`."""

    def __init__(self, store: FileStorage, descriptor: int, path: Path) -> None:
        self._store = store
        self._descriptor = descriptor
        self._path: Path | None = path

    def write(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        with self._store.translated_errors():
            while view:
                view = view[os.write(self._descriptor, view) :]

    def commit(self, sha256: str) -> None:
        assert self._path is not None, "an upload is committed once"
        target = self._store.local_path(sha256)
        with self._store.translated_errors():
            if self._store.is_open_to_group():
                os.fchmod(self._descriptor, 0o640)
            # File times have the resolution of a kernel tick, within which ext4 may reuse the inode
            # of a deleted file: then both files would have the same mark.
            now = time.time_ns()
            os.utime(self._descriptor, ns=(now, now))
            os.fsync(self._descriptor)
            self._store.make_blob_folder(target.parent)
            self._path.replace(target)
            self._path = None
            _sync_folder(target.parent)

    def move_to(self, path: Path) -> os.stat_result:
        """Give the temporary file a name in staging, replacing any other file."""
        assert self._path is not None, "an upload is named once"
        with self._store.translated_errors():
            self._path.replace(path)
            self._path = None
            return os.fstat(self._descriptor)

    def discard(self) -> None:
        os.close(self._descriptor)
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _walk(
    folder: Path, prefix: str, *, folders: int, leave_out: Set[str] = frozenset()
) -> Iterator[StoredObject]:
    """Yields every file below `folder`, down to this many levels of blob folders.

    Any other folder is listed as one object of size 0 and never opened, because the portal did not
    create it. A file that disappears meanwhile is left out.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in leave_out:
                continue
            key = f"{prefix}{_text(entry.name)}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and folders and _BLOB_FOLDER.fullmatch(entry.name):
                yield from _walk(Path(entry.path), f"{key}/", folders=folders - 1)
                continue
            with suppress(FileNotFoundError):
                found = stored_object(key, entry.stat(follow_symlinks=False))
                yield replace(found, key=f"{key}/", size=0) if is_folder else found


def _text(name: str) -> str:
    """A file name as text that a database accepts, whatever its bytes."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _make_folder(folder: Path, root: Path) -> None:
    """Create the folder and its parents up to the root durably."""
    if folder.is_dir():
        return
    if folder != root:
        _make_folder(folder.parent, root)
    folder.mkdir(mode=0o700, exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _translated(error: OSError, root: Path) -> WeightsError:
    """The domain's error for an error of the operating system."""
    if error.errno in _FULL:
        return StorageFull(
            f"the store at {root} is full; free some space and run the command again"
        )
    return StorageUnavailable(f"the store at {root} does not answer: {error}")
