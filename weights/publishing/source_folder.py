"""Lists the files of a folder to publish and reads them, detecting concurrent changes."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from weights.catalogue import names
from weights.errors import SourceChanged, SourceUnusable

BLOCK = 4 * 1024 * 1024

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class FileState(NamedTuple):
    """Identifies one version of one file: any write changes its ctime."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, result: os.stat_result) -> "FileState":
        return cls(
            result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns, result.st_ctime_ns
        )


class Source(NamedTuple):
    """A file to publish: its path in the revision, its location on disk, and its state."""

    path: str
    location: str
    state: FileState

    @property
    def size(self) -> int:
        """Bytes."""
        return self.state.size


def scan(directory: Path) -> list[Source]:
    """All regular files below the folder, sorted by path; raises SourceUnusable or InvalidName.

    Includes hidden files; skips `.git`, `.cache/huggingface`, pipes and devices. A symbolic link
    is read as its target, which must be inside the folder.
    """
    try:
        root = directory.resolve(strict=True)
        if not root.is_dir():
            raise SourceUnusable(f"{directory} is not a folder; specify the folder to publish")
        sources = sorted(_walk(str(root), root, ""))
    except OSError as error:
        where = error.filename or directory
        raise SourceUnusable(f"{where} cannot be read: {error.strerror}") from error
    if not sources:
        raise SourceUnusable(f"{directory} contains no files; add the files to publish")
    return sources


def _walk(folder: str, root: Path, prefix: str) -> Iterator[Source]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.name == ".git" or f"/{path}".endswith("/.cache/huggingface"):
                continue
            if entry.is_symlink():
                yield _link_target(path, entry.path, root)
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, root, path + "/")
            elif entry.is_file(follow_symlinks=False):
                names.check_path(path)
                yield Source(path, entry.path, FileState.of(entry.stat(follow_symlinks=False)))


def _link_target(path: str, location: str, root: Path) -> Source:
    names.check_path(path)
    try:
        target = Path(location).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError for circular links
        raise SourceUnusable(f"{path} is a broken symbolic link; remove it") from error
    if not target.is_relative_to(root):
        raise SourceUnusable(
            f"{path} is a link to a file outside the folder; replace it with the file (cp -L)"
        )
    found = target.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise SourceUnusable(f"{path} is a link to something other than a file; remove it")
    return Source(path, str(target), FileState.of(found))


@contextmanager
def opened(source: Source) -> Iterator[int]:
    """Opens the file; raises SourceChanged if it has changed since `scan` or changes while open."""
    try:
        descriptor = os.open(source.location, _FLAGS)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
            raise _changed(source) from error
        raise SourceUnusable(f"{source.path} cannot be read: {error.strerror}") from error
    try:
        _check_unchanged(source, descriptor)
        yield descriptor
        _check_unchanged(source, descriptor)
    finally:
        os.close(descriptor)


def blocks(source: Source, descriptor: int) -> Iterator[memoryview]:
    """Yields the file in blocks. All share one buffer, so use each block before the next."""
    buffer = memoryview(bytearray(min(BLOCK, max(source.size, 1))))
    left = source.size
    while left:
        try:
            count = os.readv(descriptor, [buffer[:left]])
        except OSError as error:
            raise SourceUnusable(f"{source.path} cannot be read: {error.strerror}") from error
        if not count:
            raise _changed(source)
        left -= count
        yield buffer[:count]


def _check_unchanged(source: Source, descriptor: int) -> None:
    if FileState.of(os.fstat(descriptor)) != source.state:
        raise _changed(source)


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(
        f"{source.path} changed while it was being read; publish again when it is complete"
    )
