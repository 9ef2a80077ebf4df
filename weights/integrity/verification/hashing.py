"""SHA-256 of what the store holds, in steps of some minutes that go on where the last one ended."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from weights.errors import BlobMissing
from weights.integrity import resumable_sha256
from weights.integrity.models import HashProgress
from weights.integrity.resumable_sha256 import ResumableSha256
from weights.integrity.verification.leases import Lease
from weights.storage import BlobStorage
from weights.storage.models import Blob
from weights.storage.protocol import PastTheEnd
from weights.storage.read_ahead import blocks_of

#: Bytes after which the state is saved: a killed worker's successor reads so many again at most.
SAVED_EACH = 1024**3
#: Seconds of one step; a task lasts ten minutes at most, and formats are inspected in it too.
STEP_SECONDS = 480.0
#: Bytes after which the pages of a file are given back.
_FORGET_EACH = 16 * 1024 * 1024


@dataclass(frozen=True)
class Hashed:
    """What the store holds, whole: `size` in bytes, of which `start` were read by earlier steps."""

    sha256: str
    size: int
    start: int
    version: str
    mark: str


@dataclass(frozen=True)
class HandedOn:
    """The step's time was up: `at` bytes are hashed and saved, and the next step goes on."""

    at: int
    start: int


def hash_stored(
    lease: Lease, storage: BlobStorage, advanced: Callable[[int, int], None], *, steps: bool
) -> Hashed | HandedOn:
    """Read the blob, from where an earlier step ended if that still holds.

    With `steps` it is left to the next one when the time of this one is up.

    `advanced` is told where the step began and where it is, after each buffer. Raises what the
    store raises, and LeaseLost.
    """
    ends = time.monotonic() + STEP_SECONDS if steps else math.inf
    with _opened(lease.blob, storage) as (stream, digest, start):
        stream.wait_a_tick()
        version, mark = getattr(stream, "version", ""), stream.stored.mark
        at = saved = forgotten = start
        forget = stream.forgetful()
        with blocks_of(stream, stream.stored.size - start) as blocks:
            for block in blocks:
                digest.update(block)
                at += len(block)
                if at - forgotten >= _FORGET_EACH:
                    forget(forgotten, at - forgotten)
                    forgotten = at
                advanced(start, at)
                if not isinstance(digest, ResumableSha256) or at >= lease.blob.size:
                    continue
                over = time.monotonic() > ends
                if over or at - saved >= SAVED_EACH:
                    _save(lease, storage.address, version, mark, at, digest)
                    saved = at
                if over:
                    return HandedOn(at, start)
        forget(forgotten, at - forgotten)
    return Hashed(digest.hexdigest(), at, start, version, mark)


@contextmanager
def _opened(blob: Blob, storage: BlobStorage) -> Iterator[tuple[Any, Any, int]]:
    """The stream, the digest of all before it, and where it begins."""
    layout = resumable_sha256.layout()
    saved = HashProgress.objects.filter(blob=blob, store=storage.address, layout=layout).first()
    if saved is not None and layout:
        stream = _opened_at(saved, blob, storage)
        if stream is not None:
            with stream:
                yield stream, ResumableSha256(bytes(saved.state)), saved.at
            return
    with _served(blob, storage) as stream:
        yield stream, ResumableSha256() if layout else hashlib.sha256(), 0


def _served(blob: Blob, storage: BlobStorage, start: int = 0) -> Any:
    """The version that people are sent to; the newest one where that is gone or never was good.

    So bytes that somebody laid over good ones condemn nothing that is given out, and good ones
    that were put over bad ones are found.
    """
    was_good = blob.last_verified_at is not None and blob.state != Blob.State.QUARANTINED
    version = blob.served_version(storage) if was_good else ""
    if version:
        with suppress(BlobMissing):
            return storage.open(blob.sha256, start=start, version=version)
    return storage.open(blob.sha256, start=start)


def _opened_at(saved: HashProgress, blob: Blob, storage: BlobStorage) -> Any:
    """The stream from there on; None if it is no longer of what was hashed."""
    try:
        stream = _served(blob, storage, saved.at)
    except PastTheEnd:
        return None
    found = (getattr(stream, "version", ""), stream.stored.mark)
    if found == (saved.version, saved.mark) and stream.stored.size > saved.at:
        return stream
    stream.close()
    return None


def _save(
    lease: Lease, store: str, version: str, mark: str, at: int, digest: ResumableSha256
) -> None:
    """Keep the state, if the lease is still this worker's."""
    lease.renew()
    HashProgress.objects.update_or_create(
        blob=lease.blob,
        defaults={
            "store": store,
            "version": version,
            "mark": mark,
            "at": at,
            "state": digest.save(),
            "layout": resumable_sha256.layout(),
            "saved_at": timezone.now(),
        },
    )
