"""The bytes of one blob, read under a lease and held against its name."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from weights.errors import BlobMissing, StorageUnavailable
from weights.models import VerificationRun
from weights.storage import BlobStorage
from weights.verification.leases import Lease

Result = VerificationRun.Result

BUFFER = 2 * 1024 * 1024


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
        self, lease: Lease, run: VerificationRun, pace: Callable[[int], None] | None = None
    ) -> None:
        self.lease = lease
        self.blob = lease.blob
        self.run = run
        self.pace = pace or (lambda count: None)

    def advanced(self, bytes_read: int) -> None:
        """Show how far it is, now and then; raises LeaseLost if another took over."""
        if self.lease.is_time_for_a_sign():
            VerificationRun.objects.filter(pk=self.run.pk).update(bytes_read=bytes_read)
            self.lease.renew()


def read(reading: Reading, storage: BlobStorage) -> Finding:
    blob = reading.blob
    try:
        sha256, size, version, mark = _hash(reading, storage)
    except (BlobMissing, StorageUnavailable, OSError) as error:
        return not_read(error)
    if size != blob.size:
        reason = f"it has {size} bytes in the store instead of {blob.size}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    if sha256 != blob.sha256:
        reason = f"its bytes in the store have SHA-256 {sha256} instead of {blob.sha256}"
        return Finding(Result.MISMATCH, reason, sha256, size)
    return Finding(Result.VERIFIED, "", sha256, size, version, mark, storage.address)


def not_read(error: Exception) -> Finding:
    """What a pass comes to that the store broke off."""
    if isinstance(error, BlobMissing):
        return Finding(Result.MISSING, "the store does not hold it")
    return Finding(Result.UNREADABLE, f"the store could not be read: {error}")


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
