"""The folder to publish: which files it holds, and their bytes as they were when listed."""

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
    """Names one state of one file: any write changes the change time."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, found: os.stat_result) -> "FileState":
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Source(NamedTuple):
    """A file to publish: its path in the revision, where it is read, and its state."""

    path: str
    location: str
    state: FileState

    @property
    def size(self) -> int:
        """Bytes."""
        return self.state.size


def scan(directory: Path) -> list[Source]:
    """Every regular file below the folder, by path; raises SourceUnusable or InvalidName.

    Hidden files count; `.git` and `.cache/huggingface` don't, nor do pipes and devices.
    A link counts as the file it leads to, which must lie in the folder.
    """
    try:
        root = directory.resolve(strict=True)
        if not root.is_dir():
            raise SourceUnusable(f"{directory} is not a folder; name the folder to publish")
        sources = sorted(_walk(str(root), root, ""))
    except OSError as error:
        where = error.filename or directory
        raise SourceUnusable(f"{where} cannot be read: {error.strerror}") from error
    if not sources:
        raise SourceUnusable(f"{directory} holds no file; put the files to publish into it")
    return sources


def _walk(folder: str, root: Path, prefix: str) -> Iterator[Source]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.name == ".git" or f"/{path}".endswith("/.cache/huggingface"):
                continue
            if entry.is_symlink():
                yield _behind_link(path, entry.path, root)
            elif entry.is_dir(follow_symlinks=False):
                yield from _walk(entry.path, root, path + "/")
            elif entry.is_file(follow_symlinks=False):
                names.check_path(path)
                yield Source(path, entry.path, FileState.of(entry.stat(follow_symlinks=False)))


def _behind_link(path: str, location: str, root: Path) -> Source:
    names.check_path(path)
    try:
        target = Path(location).resolve(strict=True)
    except (OSError, RuntimeError) as error:  # the latter for links that go in circles
        raise SourceUnusable(f"{path} is a link that leads nowhere; remove it") from error
    if not target.is_relative_to(root):
        raise SourceUnusable(
            f"{path} is a link out of the folder; put the file itself there (cp -L does)"
        )
    found = target.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise SourceUnusable(f"{path} is a link to something other than a file; remove it")
    return Source(path, str(target), FileState.of(found))


@contextmanager
def opened(source: Source) -> Iterator[int]:
    """A descriptor of the file; raises SourceChanged if it isn't, or doesn't stay, as listed."""
    try:
        descriptor = os.open(source.location, _FLAGS)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENOTDIR}:
            raise _changed(source) from error
        raise SourceUnusable(f"{source.path} cannot be read: {error.strerror}") from error
    try:
        _demand_unchanged(source, descriptor)
        yield descriptor
        _demand_unchanged(source, descriptor)
    finally:
        os.close(descriptor)


def blocks(source: Source, descriptor: int) -> Iterator[memoryview]:
    """The bytes, block by block in one reused buffer: use a block before asking for the next."""
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


def _demand_unchanged(source: Source, descriptor: int) -> None:
    if FileState.of(os.fstat(descriptor)) != source.state:
        raise _changed(source)


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(f"{source.path} changed while it was read; publish again when it rests")
