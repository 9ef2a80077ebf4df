"""Read one blob from the store under a lease, and compare its SHA-256 with its name."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from accounts.background.periodic import describe
from weights.errors import BlobMissing, StorageUnavailable
from weights.integrity import shutdown
from weights.integrity.lease import Lease
from weights.integrity.models import VerificationRun
from weights.storage import BlobStorage
from weights.storage.models import Blob
from weights.storage.read_ahead import blocks_of

Result = VerificationRun.Result
#: After this many bytes, pages that were not cached before are dropped from the system's cache.
DROP_EACH = 16 * 1024 * 1024
#: Bytes per sleep of a paced read: two seconds at the slowest rate that settings allow.
PACED_BYTES = 128 * 1024


@dataclass(frozen=True)
class Finding:
    """The result of one read; `reason` is a sentence, empty if the bytes are good.

    `version` (empty if the store has no versions) and `mark` identify the object as read from the
    store `version_in`.
    """

    result: VerificationRun.Result
    reason: str = ""
    sha256: str = ""
    bytes_read: int = 0
    version: str = ""
    mark: str = ""
    version_in: str = ""


class Reading:
    """The read of one blob; renews the lease and records the progress."""

    def __init__(
        self, lease: Lease[Blob], run: VerificationRun, pace: Callable[[int], None] | None = None
    ) -> None:
        self.lease = lease
        self.blob = run.blob
        self._run = run
        self._pace = pace

    def advance(self, count: int, total: int) -> None:
        """Record that `count` more bytes were read, `total` in all; raises LeaseLost, Stopped."""
        if self._pace is None:
            self._keep_alive(total)
            return
        for start in range(0, count, PACED_BYTES):
            self._pace(min(PACED_BYTES, count - start))
            self._keep_alive(total)

    def _keep_alive(self, total: int) -> None:
        shutdown.demand_running()
        if self.lease.renew_if_due():
            VerificationRun.objects.filter(pk=self._run.pk).update(bytes_read=total)


def hash_blob(reading: Reading, storage: BlobStorage) -> Finding:
    """Read all bytes of the blob and compare their hash. Raises LeaseLost and Stopped."""
    blob = reading.blob
    try:
        with _open(blob, storage) as stream:
            return _judge(stream, _hash(stream, reading), blob, storage)
    except (BlobMissing, StorageUnavailable, OSError) as error:
        return unreadable(error)


def _hash(stream: Any, reading: Reading) -> tuple[str, int]:
    """The SHA-256 of a stream in hex, and its size in bytes."""
    stream.wait_past_ctime()
    digest = hashlib.sha256()
    size = dropped = 0
    drop = stream.drop_after_reading()
    with blocks_of(stream, stream.stored.size) as blocks:
        for block in blocks:
            digest.update(block)
            size += len(block)
            if size - dropped >= DROP_EACH:
                drop(dropped, size - dropped)
                dropped = size
            reading.advance(len(block), size)
    drop(dropped, size - dropped)
    return digest.hexdigest(), size


def _open(blob: Blob, storage: BlobStorage) -> Any:
    """Open the served version, or the newest one if that is gone or was never good.

    Thus bytes written over good ones do not affect what is served, and good bytes written over bad
    ones are found.
    """
    version = blob.served_version(storage) if blob.was_good else ""
    if version:
        with suppress(BlobMissing):
            return storage.open(blob.sha256, version=version)
    return storage.open(blob.sha256)


def _judge(stream: Any, hashed: tuple[str, int], blob: Blob, storage: BlobStorage) -> Finding:
    sha256, size = hashed
    version = getattr(stream, "version", "")
    if hashed == (blob.sha256, blob.size):
        mark, store = stream.stored.mark, storage.address
        return Finding(Result.VERIFIED, "", sha256, size, version, mark, store)
    reason = f"its bytes in the store have SHA-256 {sha256} instead of {blob.sha256}"
    if size != blob.size:
        reason = f"it has {size} bytes in the store instead of {blob.size}"
    served = blob.served_version(storage)
    if served and served != version:
        reason += "; this is the newest version, because the verified one is gone"
    return Finding(Result.MISMATCH, reason, sha256, size)


def unreadable(error: Exception) -> Finding:
    """The finding if the store raised `error`."""
    if isinstance(error, BlobMissing):
        return Finding(Result.MISSING, "the store does not have it")
    return Finding(Result.UNREADABLE, f"the store could not be read: {error}")


def failed(error: Exception) -> Finding:
    """The finding if the portal's own code raised `error`."""
    return Finding(Result.UNREADABLE, f"its check failed: {describe(error)}")
