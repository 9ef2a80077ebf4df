"""The bytes of one blob, read under a lease and held against its name."""

from collections.abc import Callable
from dataclasses import dataclass

from accounts.background.periodic import describe
from weights.errors import BlobMissing, StorageUnavailable
from weights.integrity.models import HashProgress, VerificationRun
from weights.integrity.verification.hashing import HandedOn, hash_stored
from weights.integrity.verification.leases import Lease
from weights.storage import BlobStorage
from weights.storage.models import Blob

Result = VerificationRun.Result
#: Of a run whose bytes did not fit and which had gone on from a saved state.
BEGUN_AGAIN = "read again from the start, lest the saved state was wrong"


@dataclass(frozen=True)
class Finding:
    """What a pass over a blob came to; `reason` is a sentence when it isn't good."""

    result: VerificationRun.Result
    reason: str = ""
    sha256: str = ""
    bytes_read: int = 0
    #: Bytes that earlier steps had read.
    started_from: int = 0
    #: Which version of the object was read (empty without versions), the mark it had as the
    #: reading began, and the store that both are of.
    version: str = ""
    mark: str = ""
    version_in: str = ""


class Reading:
    """A blob being read under a lease, which is renewed as the bytes go by."""

    def __init__(
        self,
        lease: Lease,
        run: VerificationRun,
        *,
        pace: Callable[[int], None] | None,
        steps: bool,
    ) -> None:
        self.lease = lease
        self.blob = lease.blob
        self.run = run
        self.steps = steps
        self._pace = pace
        self._at: int | None = None

    def advanced(self, start: int, at: int) -> None:
        """Show how far it is, now and then; raises LeaseLost if another took over."""
        if self._pace is not None:
            self._pace(at - (start if self._at is None else self._at))
            self._at = at
        if self.lease.is_time_for_a_sign():
            self.note(start, at)
            self.lease.renew()

    def note(self, start: int, at: int) -> None:
        """Write into the run what it has read."""
        VerificationRun.objects.filter(pk=self.run.pk).update(
            started_from=start, bytes_read=at - start
        )


def read(reading: Reading, storage: BlobStorage) -> Finding | HandedOn:
    """What the pass came to; or where the next step goes on, where one is not enough."""
    blob = reading.blob
    try:
        found = hash_stored(reading.lease, storage, reading.advanced, steps=reading.steps)
    except (BlobMissing, StorageUnavailable, OSError) as error:
        return not_read(error)
    if isinstance(found, HandedOn):
        reading.note(found.start, found.at)
        return found
    if found.size == blob.size and found.sha256 == blob.sha256:
        return Finding(
            Result.VERIFIED,
            sha256=found.sha256,
            bytes_read=found.size - found.start,
            started_from=found.start,
            version=found.version,
            mark=found.mark,
            version_in=storage.address,
        )
    if found.start and not _was_begun_again(blob):  # it may be the saved state that is wrong
        HashProgress.objects.filter(blob=blob).delete()
        reading.note(found.start, found.size)
        return HandedOn(0, found.start)
    reason = f"its bytes in the store have SHA-256 {found.sha256} instead of {blob.sha256}"
    if found.size != blob.size:
        reason = f"it has {found.size} bytes in the store instead of {blob.size}"
    served = blob.served_version(storage)
    if served and served != found.version:
        reason += "; that is the newest version, for the one that was verified is gone"
    return Finding(Result.MISMATCH, reason, found.sha256, found.size)


def _was_begun_again(blob: Blob) -> bool:
    """Whether its bytes were read from the start again already, since a check last had a result."""
    ended = blob.runs.exclude(result__in=[Result.RUNNING, Result.HANDED_ON, Result.ABANDONED])
    last = ended.order_by("-pk").values_list("pk", flat=True).first() or 0
    return blob.runs.filter(pk__gt=last, detail=BEGUN_AGAIN).exists()


def not_read(error: Exception) -> Finding:
    """What a pass comes to that the store broke off."""
    if isinstance(error, BlobMissing):
        return Finding(Result.MISSING, "the store does not hold it")
    return Finding(Result.UNREADABLE, f"the store could not be read: {error}")


def not_checked(error: Exception) -> Finding:
    """What a pass comes to that a fault of the portal's own code broke off."""
    return Finding(Result.UNREADABLE, f"its check failed: {describe(error)}")
