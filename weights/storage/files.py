"""Blobs as files of one folder."""

import errno
import io
import logging
import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, cast

from weights.errors import BlobMissing, StorageFull, StorageUnavailable, WeightsError
from weights.storage.protocol import Stored, blob_key

log = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EDQUOT}
#: Places of a file at which the cache is looked into.
_LOOKS = 16
#: Seconds within which two writes may get the same time: a tick of the slowest kernel (100 Hz),
#: twice. Linux 6.13 and later tell more writes apart, but not those to a new file.
_TICK = 0.02
#: What a file system keeps in its root for itself, and opens for nobody.
_FOUND = "lost+found"
#: The folders that blobs are in.
_OURS = re.compile(r"[0-9a-f]{2}")


class FileStorage:
    """Keeps each blob at `<root>/aa/bb/<sha256>`, written beside it first and then renamed.

    Its user alone may read it; where the root is setgid its group too, such as a web server's.
    """

    is_local = True
    binds_versions = False

    def __init__(self, root: Path) -> None:
        self.root = root
        self.address = f"file://{root}"
        self._prefix = f"{root}/"
        # On the same filesystem as the blobs, so that the rename is one atomic step. It is also
        # what tells a store from the empty folder that a disk is mounted on.
        self._uploads = root / ".uploads"
        # Folders that this process has seen on the disk, whoever made them.
        self._durable: set[Path] = set()

    def keeps_versions(self) -> bool:
        return False

    def set_up(self) -> None:
        try:
            _make_folder(self._uploads, Path(self.root.anchor))
            self.make_private()
        except OSError as error:
            raise _refusal(error, self.root) from error

    @contextmanager
    def receive(self, size: int = 0) -> Iterator["FileUpload"]:
        upload = self._begin()
        try:
            yield upload
        finally:
            upload.discard()

    def _begin(self) -> "FileUpload":
        try:
            descriptor, name = tempfile.mkstemp(dir=self._uploads)
        except FileNotFoundError as error:
            raise self._no_store() from error
        except OSError as error:
            raise _refusal(error, self.root) from error
        return FileUpload(self, descriptor, Path(name))

    def make_folder(self, folder: Path) -> None:
        """Make a blob's folder durably.

        One that is there may have been made by another process, which has not synced it yet.
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
        """Whether the root is setgid, so that all below is of its group."""
        return bool(self.root.stat().st_mode & stat.S_ISGID)

    def make_private(self) -> None:
        """Shut others out of a store that was made by them, or by a release that let them in."""
        with suppress(FileNotFoundError, NotADirectoryError):
            mode = stat.S_IMODE(self.root.stat().st_mode)
            allowed = mode & (0o7750 if self.is_open_to_group() else 0o7700)
            if allowed == mode:
                return
            try:
                self.root.chmod(allowed)
            except PermissionError:
                log.warning("others may read the store at %s; chmod %o it", self.root, allowed)

    def size(self, sha256: str) -> int | None:
        try:
            return self.local_path(sha256).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(error, self.root) from error

    def look(self, sha256: str, version: str = "") -> Stored | None:
        try:
            key = blob_key(sha256)
            # As text: each HEAD asks, and a `Path` costs more than the call.
            return _stored(key, os.stat(f"{self._prefix}{key}"))  # noqa: PTH116
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _refusal(error, self.root) from error

    def everything(self) -> Iterator[Stored]:
        if not self._uploads.is_dir():
            raise self._no_store()
        try:
            yield from _below(self.root, "", folders=2, leave_out={self._uploads.name, _FOUND})
        except OSError as error:
            raise _refusal(error, self.root) from error

    def open(self, sha256: str, *, start: int = 0, version: str = "") -> BinaryIO:
        try:
            return cast(BinaryIO, FileReader(self.local_path(sha256), blob_key(sha256), start))
        except FileNotFoundError as error:
            raise self._absence(sha256) from error
        except OSError as error:
            raise _refusal(error, self.root) from error

    def read(self, sha256: str, start: int, length: int, version: str = "") -> bytes:
        content = bytearray(length)
        found = 0
        with self.open(sha256) as stream:
            while part := os.preadv(stream.fileno(), [memoryview(content)[found:]], start + found):
                found += part
        return bytes(content[:found])

    def excerpt(self, sha256: str, most: int, version: str = "") -> bytes:
        with self.open(sha256) as stream:
            return stream.read(most)

    def _absence(self, sha256: str) -> WeightsError:
        """A blob that is gone, unless the whole store is (a disk that is not mounted)."""
        if self._uploads.is_dir():
            return BlobMissing(f"the store holds no blob {sha256}")
        return self._no_store()

    def _no_store(self) -> StorageUnavailable:
        return StorageUnavailable(
            f"no store at {self.root} (it has no {self._uploads.name}); is its disk mounted?"
        )

    def local_path(self, sha256: str) -> Path:
        return Path(f"{self._prefix}{blob_key(sha256)}")  # joined as text: half the cost

    def signed_url(self, sha256: str, *, filename: str, seconds: int, version: str = "") -> None:
        return None

    def delete(self, sha256: str) -> None:
        try:
            self.local_path(sha256).unlink(missing_ok=True)
        except OSError as error:
            raise _refusal(error, self.root) from error

    def sweep(self, older_than: timedelta) -> int:
        limit = time.time() - older_than.total_seconds()
        removed = 0
        for leftover in self._uploads.glob("*"):
            with suppress(FileNotFoundError):  # an upload that ended meanwhile
                if leftover.stat().st_mtime < limit:
                    leftover.unlink()
                    removed += 1
        return removed


class FileReader(io.FileIO):
    """An open blob that knows how it stood in the store as it was opened."""

    def __init__(self, path: Path, key: str, start: int) -> None:
        super().__init__(path)
        found = os.fstat(self.fileno())
        self.stored = _stored(key, found)
        self._changed_ns = found.st_ctime_ns
        if start:
            self.seek(start)

    @cached_property
    def is_at_hand(self) -> bool:
        """Whether most of it was in the system's cache when this was first asked."""
        return _is_cached(self.fileno(), self.stored.size)

    def wait_a_tick(self) -> None:
        """Wait until the kernel's clock is past the file's ctime.

        A write in the tick of the last one leaves every time as it is. What is read after this
        includes such a write, and a later one gets a later ctime, which nobody can set back.
        """
        if time.time_ns() - self._changed_ns < _TICK * 1e9:
            time.sleep(_TICK)

    def forgetful(self) -> Callable[[int, int], None]:
        """Have the system read ahead, and drop from its cache what was not in it before.

        A file that many download stays there: checking it should not make their reads slow.
        """
        if not hasattr(os, "posix_fadvise"):
            return lambda start, length: None
        descriptor, keep = self.fileno(), self.is_at_hand
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

        def forget(start: int, length: int) -> None:
            if not keep:
                os.posix_fadvise(descriptor, start, length, os.POSIX_FADV_DONTNEED)

        return forget


def _is_cached(descriptor: int, size: int) -> bool:
    """Whether most of a file is in the system's cache, by a look at some places of it."""
    if not size or not hasattr(os, "RWF_NOWAIT"):
        return False
    found = 0
    for place in range(_LOOKS):
        try:
            offset = size * place // _LOOKS
            found += os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT)
        except OSError:  # it would have to be read from the disk, or nobody can say
            continue
    return found > _LOOKS // 2


class FileUpload:
    """A temporary file that becomes a blob on `commit`."""

    def __init__(self, store: FileStorage, descriptor: int, path: Path) -> None:
        self._store = store
        self._descriptor = descriptor
        self._path: Path | None = path

    def write(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise _refusal(error, self._store.root) from error

    def commit(self, sha256: str) -> None:
        assert self._path is not None, "an upload is committed once"
        target = self._store.local_path(sha256)
        try:
            if self._store.is_open_to_group():
                os.fchmod(self._descriptor, 0o640)
            # The kernel's own time is that of its tick, in which ext4 may give the inode of the
            # file before the last to this one: then all of `stat` would be the same.
            now = time.time_ns()
            os.utime(self._descriptor, ns=(now, now))
            os.fsync(self._descriptor)
            self._store.make_folder(target.parent)
            self._path.replace(target)
            self._path = None
            _sync_folder(target.parent)
        except OSError as error:
            raise _refusal(error, self._store.root) from error

    def discard(self) -> None:
        os.close(self._descriptor)
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _below(
    folder: Path, prefix: str, *, folders: int, leave_out: Set[str] = frozenset()
) -> Iterator[Stored]:
    """Every file of so many levels of our own folders; one that vanishes meanwhile is left out.

    A folder that is none of ours is one thing, and never opened: it may be another's.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name in leave_out:
                continue
            key = f"{prefix}{_text(entry.name)}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and folders and _OURS.fullmatch(entry.name):
                yield from _below(Path(entry.path), f"{key}/", folders=folders - 1)
                continue
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                yield _foreign(f"{key}/", found) if is_folder else _stored(key, found)


def _text(name: str) -> str:
    """A file's name as text that can be kept, whatever bytes it is of."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _foreign(key: str, found: os.stat_result) -> Stored:
    """A folder of somebody else, of which nobody asked how much is in it."""
    return replace(_stored(key, found), size=0)


def _stored(key: str, found: os.stat_result) -> Stored:
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return Stored(key, found.st_size, _mark(found), modified)


def _mark(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}:{found.st_ino}:{found.st_size} {found.st_ctime_ns}"


def _make_folder(folder: Path, root: Path) -> None:
    """Make the folder and its parents up to the root durably."""
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


def _refusal(error: OSError, root: Path) -> WeightsError:
    """The domain's word for what the operating system said."""
    if error.errno in _FULL:
        return StorageFull(f"the store at {root} is full; free some room and run the same again")
    return StorageUnavailable(f"the store at {root} does not answer: {error}")
