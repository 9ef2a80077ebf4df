"""Bytes, stored once under their SHA-256."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.utils import timezone

if TYPE_CHECKING:
    from weights.storage import BlobStorage, Stored


class BlobQuerySet(models.QuerySet["Blob"]):
    def due_for_check(self, now: datetime) -> "BlobQuerySet":
        """Blobs that a worker should read now and that none is reading."""
        waiting = models.Q(state__in=UNVERIFIED, check_due_at=None)
        free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
        return self.filter(free, waiting | models.Q(check_due_at__lte=now))

    def awaiting_inspection(self) -> "BlobQuerySet":
        """Blobs with whole bytes, some name of which is still to be looked at.

        One whose bytes are to be read is looked at in the same pass.
        """
        return self.filter(inspect_due_at__isnull=False, check_due_at=None).exclude(
            state__in=UNVERIFIED
        )

    def due_for_inspection(self, now: datetime) -> "BlobQuerySet":
        free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
        return self.awaiting_inspection().filter(free, inspect_due_at__lte=now)

    def awaiting_result(self) -> "BlobQuerySet":
        """Blobs whose check is asked for and has not come to a result."""
        return self.filter(models.Q(state__in=UNVERIFIED) | models.Q(check_due_at__isnull=False))

    def idle(self, now: datetime) -> "BlobQuerySet":
        """Blobs that no check is asked for, and that nobody reads."""
        free = models.Q(leased_until=None) | models.Q(leased_until__lte=now)
        return self.filter(free, check_due_at=None)

    def unverified(self) -> "BlobQuerySet":
        """Blobs whose first check is still to be done or to be finished."""
        return self.filter(state__in=UNVERIFIED)


class Blob(models.Model):
    """Bytes named by their SHA-256. Only verified blobs are ever served."""

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Stored, waiting for its check"
        HASHING = "hashing", "Being read"
        SCANNING = "scanning", "Its format is being inspected"
        VERIFIED = "verified", "Verified"
        QUARANTINED = "quarantined", "Quarantined"

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField(help_text="Bytes")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    quarantine_reason = models.CharField(max_length=500, blank=True)
    #: Quarantined by hand: no check lifts it, only `weights.integrity.quarantine.lift`.
    held = models.BooleanField(default=False)
    #: How often in a row its bytes were found wrong since they last proved good.
    doubts = models.PositiveSmallIntegerField(default=0)
    #: A worker's claim on it; past this another may take over.
    leased_until = models.DateTimeField(null=True, blank=True)
    #: When the sweep next queues it; None once its check has come to a result.
    check_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    #: When the sweep next sends it to an inspection of its names, its bytes being known as whole;
    #: None once all of them were looked at.
    inspect_due_at = models.DateTimeField(null=True, blank=True, db_index=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    last_verified_at = models.DateTimeField(null=True, blank=True)
    #: The version that the last good check read: a signed address is bound to it. Empty where
    #: the store keeps no versions.
    version = models.CharField(max_length=1024, blank=True)
    #: The store's mark of what that check read: another one means that somebody wrote to it.
    mark = models.CharField(max_length=200, blank=True)
    #: The store that both are of.
    version_in = models.CharField(max_length=1024, blank=True)

    objects = BlobQuerySet.as_manager()

    class Meta:
        permissions = [("verify_blob", "Can queue verification and quarantine")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(size__gte=0), name="a_blob_has_no_negative_size"
            )
        ]
        indexes = [
            models.Index(fields=["state", "leased_until"], name="blob_by_state"),
            models.Index(fields=["state", "last_verified_at"], name="blob_by_last_reading"),
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}… ({self.size} bytes)"

    def version_of(self, store: str) -> str:
        """The version that was verified in this store; empty where none is known."""
        return self.version if self.version_in == store else ""

    def served_version(self, storage: "BlobStorage") -> str:
        """The version that people are sent to; empty where it is whatever stands there."""
        return self.version_of(storage.address) if storage.binds_versions else ""

    def change(self, found: "Stored", store: str) -> str:
        """What shows that it was written to since it was verified, as a sentence; else empty."""
        if found.size != self.size:
            return f"it has {found.size} bytes in the store instead of {self.size}"
        if self.mark and self.version_in == store and found.written_since(self.mark):
            return "it was written to in the store after it had been verified"
        if found.sha256 and found.sha256 != self.sha256:
            return f"the store itself says that its bytes have SHA-256 {found.sha256}"
        return ""

    def is_touched(self, found: "Stored", store: str) -> bool:
        """Whether it may be served as it was verified, but should be read again soon."""
        return self.version_in == store and found.touched_since(self.mark)


UNVERIFIED = (Blob.State.UPLOADED, Blob.State.HASHING, Blob.State.SCANNING)


class IntakeNote(models.Model):
    """What a source file hashed to, so that the same publish again need not read it again.

    Device, inode, size and both times together name one state of one file: any write
    changes the change time, which nobody can set back.
    """

    device = models.CharField(max_length=20)
    inode = models.CharField(max_length=20)
    size = models.BigIntegerField()
    mtime_ns = models.BigIntegerField()
    ctime_ns = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    git_oid = models.CharField(max_length=40)
    md5 = models.CharField(max_length=32, blank=True)
    is_text = models.BooleanField()
    noted_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device", "inode"], name="one_note_per_source_file")
        ]

    def __str__(self) -> str:
        return f"{self.device}:{self.inode} = {self.sha256[:12]}…"
