"""Downloads one file of another hub into a partial file, and resumes it with range requests."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import requests

from weights.errors import SourceUnusable, StorageFull
from weights.publishing.mirror.session import HubSession, Interrupted, blocks, retried
from weights.publishing.mirror.source import SourceFile
from weights.publishing.mirror.staging import open_partial


def download(
    session: HubSession,
    url: str,
    file: SourceFile,
    partial: Path,
    progress: Callable[[int], None],
) -> None:
    """Appends to `partial` until it has the size of `file`; the caller checks its hash.

    Raises SourceUnusable and StorageFull. `progress` is called with the bytes of each step.
    """
    descriptor = open_partial(partial)
    try:
        if _size(descriptor) > file.size:
            os.ftruncate(descriptor, 0)
        if present := _size(descriptor):
            progress(present)
        retried(
            lambda: _continue(session, url, file, descriptor, progress), lambda: _size(descriptor)
        )
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise StorageFull(
            f"{partial.parent} is full; free some space, then run the same command: it continues"
        ) from error
    finally:
        os.close(descriptor)


def _size(descriptor: int) -> int:
    return os.fstat(descriptor).st_size


def _continue(
    session: HubSession,
    url: str,
    file: SourceFile,
    descriptor: int,
    progress: Callable[[int], None],
) -> None:
    """Requests the missing bytes once; raises Interrupted if fewer arrive."""
    have = _size(descriptor)
    if have == file.size:
        return
    with session.open(url, start=have, leave_hub=True) as response:
        start = _start(response, file, have)
        if start < have:
            progress(start - have)
            os.ftruncate(descriptor, start)
        os.lseek(descriptor, start, os.SEEK_SET)
        for block in blocks(response, file.size - start):
            _write(descriptor, block)
            progress(len(block))
    if (have := _size(descriptor)) < file.size:
        raise Interrupted(f"the source sent {have} of the {file.size} bytes of {file.path!r}")


def _start(response: requests.Response, file: SourceFile, wanted: int) -> int:
    """The offset of the response's first byte: `wanted`, or 0 if the server ignores ranges."""
    start = wanted if response.status_code == 206 else 0
    if start:
        stated = response.headers.get("Content-Range", "")
        if stated != f"bytes {start}-{file.size - 1}/{file.size}":
            raise SourceUnusable(
                f"the source sends the range {stated[:60]!r} of {file.path!r}, which is listed"
                f" with {file.size} bytes; have the source corrected"
            )
    length = response.headers.get("Content-Length")
    if length is not None and length != str(file.size - start):
        raise SourceUnusable(
            f"the source sends {length[:30]!r} bytes of {file.path!r}, but its listing implies"
            f" {file.size - start}; have the source corrected"
        )
    return start


def _write(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]
