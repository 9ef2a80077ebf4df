"""The bytes of one blob, read under a lease and held against its name."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from weights.errors import BlobMissing, StorageUnavailable
from weights.models import Blob, VerificationRun
from weights.storage import BlobStorage

Result = VerificationRun.Result

#: How long a worker may be silent before another takes its blob over.
LEASE = timedelta(minutes=3)
#: Seconds between two signs of life of a worker that reads.
SIGN_OF_LIFE = 5.0
BUFFER = 2 * 1024 * 1024


class LeaseLost(Exception):
    """Another worker took the blob over; this one's result no longer counts."""


@dataclass(frozen=True)
class Finding:
    """What a pass over a blob came to; `reason` is a sentence when it isn't good."""

    result: VerificationRun.Result
    reason: str = ""
    sha256: str = ""
    bytes_read: int = 0
    #: Which version of the object was read (empty without versions), the mark it had as the
    #: reading began, and the store that both are of.
    version: str = ""
    mark: str = ""
    version_in: str = ""


class Reading:
    """A blob being read under a lease, which is renewed as the bytes go by."""

    def __init__(
        self,
        blob: Blob,
        run: VerificationRun,
        lease: datetime,
        pace: Callable[[int], None] | None = None,
    ) -> None:
        self.blob = blob
        self.pace = pace or (lambda count: None)
        self._run = run
        self._lease = lease
        self._next_sign = time.monotonic() + SIGN_OF_LIFE

    def advanced(self, bytes_read: int) -> None:
        """Show how far it is, now and then; raises LeaseLost if another took over."""
        if time.monotonic() < self._next_sign:
            return
        self._next_sign = time.monotonic() + SIGN_OF_LIFE
        VerificationRun.objects.filter(pk=self._run.pk).update(bytes_read=bytes_read)
        lease = timezone.now() + LEASE
        held = Blob.objects.filter(pk=self.blob.pk, leased_until=self._lease)
        if not held.update(leased_until=lease):
            raise LeaseLost
        self._lease = self.blob.leased_until = lease


def read(reading: Reading, storage: BlobStorage) -> Finding:
    blob = reading.blob
    try:
        sha256, size, version, mark = _hash(reading, storage)
    except BlobMissing:
        return Finding(Result.MISSING, "the store does not hold it")
    except (StorageUnavailable, OSError) as error:
        return Finding(Result.UNREADABLE, f"the store could not be read: {error}")
    if size != blob.size:
        reason = f"it has {size} bytes in the store instead of {blob.size}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    if sha256 != blob.sha256:
        reason = f"its bytes in the store have SHA-256 {sha256} instead of {blob.sha256}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    return Finding(Result.VERIFIED, "", sha256, size, version, mark, storage.address)


def _hash(reading: Reading, storage: BlobStorage) -> tuple[str, int, str, str]:
    """SHA-256, size, version and mark of what the store holds, through one small buffer."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(BUFFER))
    size = 0
    with storage.open(reading.blob.sha256) as stream:
        mark = stream.stored.mark  # type: ignore[attr-defined]
        while count := stream.readinto(buffer):  # type: ignore[attr-defined]
            digest.update(buffer[:count])
            size += count
            reading.pace(count)
            reading.advanced(size)
        version = getattr(stream, "version", "")
    return digest.hexdigest(), size, version, mark
