"""Blobs: bytes, stored once under their SHA-256."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import models, transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from accounts.web.byte_sizes import format_size
from weights.storage.transition_table import CAUSES, TRANSITIONS, UNVERIFIED, QuarantineCause
from weights.storage.transition_table import State as BlobState

if TYPE_CHECKING:
    from accounts.users.models import User
    from weights.storage import BlobStorage, StoredObject

__all__ = ["UNVERIFIED", "Blob", "BlobQuerySet", "IntakeNote", "unleased"]


def unleased(now: datetime) -> models.Q:
    """Matches rows that no worker currently leases."""
    return models.Q(leased_until=None) | models.Q(leased_until__lte=now)


class BlobQuerySet(models.QuerySet["Blob"]):
    def due_for_check(self, now: datetime) -> "BlobQuerySet":
        """Blobs that a worker should read now and that no worker is reading."""
        waiting = models.Q(state__in=UNVERIFIED, check_due_at=None)
        return self.filter(unleased(now), waiting | models.Q(check_due_at__lte=now))

    def awaiting_inspection(self) -> "BlobQuerySet":
        """Blobs with good bytes and a name for which they have not been inspected yet.

        A blob that is due for a check is inspected in that check.
        """
        return self.filter(inspect_due_at__isnull=False, check_due_at=None).exclude(
            state__in=UNVERIFIED
        )

    def due_for_inspection(self, now: datetime) -> "BlobQuerySet":
        return self.awaiting_inspection().filter(unleased(now), inspect_due_at__lte=now)

    def awaiting_result(self) -> "BlobQuerySet":
        """Blobs whose check is requested and has no result yet."""
        return self.filter(models.Q(state__in=UNVERIFIED) | models.Q(check_due_at__isnull=False))

    def idle(self, now: datetime) -> "BlobQuerySet":
        """Blobs that no worker is reading and no check is requested for."""
        return self.filter(unleased(now), check_due_at=None)

    def unverified(self) -> "BlobQuerySet":
        """Blobs whose first check has not ended."""
        return self.filter(state__in=UNVERIFIED)

    @transaction.atomic
    def transition_all(
        self, name: str, details: Mapping["Blob", dict[str, Any]], **changes: object
    ) -> None:
        """Apply a transition that ends outside quarantine to all blobs in `details`.

        Like `Blob.transition`, with one statement and another for the events. Raises
        TransitionRefused, and changes nothing, if any blob is in a state that does not allow it.
        """
        row = TRANSITIONS[name]
        changes |= {"state": row.target, "quarantine_cause": CAUSES.get(name, "")}
        leaving = self.filter(pk__in=[blob.pk for blob in details], state__in=row.sources)
        if leaving.update(**changes) < len(details):
            raise TransitionRefused(f"one of {len(details)} blobs cannot {name} from its state")
        if row.event:
            AuditEvent.record_each(
                row.event,
                {blob: {"sha256": blob.sha256, **more} for blob, more in details.items()},
                result=row.result,
            )


class Blob(models.Model):
    """Bytes named by their SHA-256. Only verified blobs are ever served."""

    State = BlobState

    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    size = models.BigIntegerField(help_text="Bytes")
    state = models.CharField(max_length=12, choices=State.choices, default=State.UPLOADED)
    quarantine_reason = models.CharField(max_length=500, blank=True)
    #: Empty outside quarantine.
    quarantine_cause = models.CharField(
        max_length=8, blank=True, db_default="", choices=QuarantineCause.choices, editable=False
    )
    #: Only `manual_quarantine.lift` clears it.
    held = models.BooleanField(
        "held by a release owner",
        default=False,
        help_text="No check lifts the quarantine; a release owner does, by a fresh check",
    )
    doubts = models.PositiveSmallIntegerField(
        "failed checks in a row", default=0, help_text="Since its bytes were last found good"
    )
    #: `weights.integrity.lease`
    leased_until = models.DateTimeField(
        "reserved by a worker until",
        null=True,
        blank=True,
        help_text="The worker that reads it extends this every few seconds",
    )
    check_due_at = models.DateTimeField(
        "next check queued at",
        null=True,
        blank=True,
        db_index=True,
        help_text="Empty while no check is requested; the scrub has its own schedule",
    )
    inspect_due_at = models.DateTimeField(
        "next inspection queued at",
        null=True,
        blank=True,
        db_index=True,
        help_text="Empty once its format is inspected under all of its names",
    )
    attempts = models.PositiveSmallIntegerField(
        "checks without a result", default=0, help_text="Started since the last one with a result"
    )
    created_at = models.DateTimeField(default=timezone.now)
    last_verified_at = models.DateTimeField(null=True, blank=True)
    #: Signed URLs are bound to it.
    version = models.CharField(
        "verified version",
        max_length=1024,
        blank=True,
        help_text="Read by the last good check; empty if the store keeps no versions",
    )
    mark = models.CharField(
        "fingerprint in the store",
        max_length=200,
        blank=True,
        help_text="Of what the last good check read; every write changes it",
    )
    version_in = models.CharField(
        "store", max_length=1024, blank=True, help_text="Where the last good check read it"
    )

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
        return f"{self.sha256[:12]}… ({format_size(self.size)})"

    @transaction.atomic
    def transition(
        self,
        name: str,
        *,
        actor: "User | None" = None,
        details: dict[str, Any] | None = None,
        **changes: object,
    ) -> None:
        """Apply a transition of TRANSITIONS, write `changes`, and record the transition's event.

        Raises TransitionRefused if the blob's state does not allow it.
        """
        row = TRANSITIONS[name]
        changes["state"] = row.target
        cause = CAUSES.get(name, "")
        is_held = cause and changes.get("held", self.held)
        changes["quarantine_cause"] = QuarantineCause.MANUAL if is_held else cause
        leaving = Blob.objects.filter(pk=self.pk, state__in=row.sources)
        if not leaving.update(**changes):
            raise TransitionRefused(f"{self} cannot {name} from its state")
        for field, value in changes.items():
            setattr(self, field, value)
        if row.event:
            details = {"sha256": self.sha256, **(details or {})}
            AuditEvent.record(
                row.event, actor=actor, target=self, result=row.result, details=details
            )

    @property
    def state_label(self) -> str:
        """The state's label or, in quarantine, the cause's."""
        return self.get_quarantine_cause_display() or self.get_state_display()

    @property
    def was_good(self) -> bool:
        """True if its bytes were verified and have not been quarantined since."""
        return self.last_verified_at is not None and self.state != BlobState.QUARANTINED

    def version_of(self, store: str) -> str:
        """The version that was verified in the store at this address, or ""."""
        return self.version if self.version_in == store else ""

    def served_version(self, storage: "BlobStorage") -> str:
        """The served version; empty if the store serves the newest one."""
        return self.version_of(storage.address) if storage.binds_versions else ""

    def change(self, found: "StoredObject", store: str) -> str:
        """A sentence about a change since its verification, or "" without a change."""
        if found.size != self.size:
            return f"it has {found.size} bytes in the store instead of {self.size}"
        if self.mark and self.version_in == store and found.written_since(self.mark):
            return "it was changed in the store after its verification"
        if found.sha256 and found.sha256 != self.sha256:
            return f"the store reports the SHA-256 {found.sha256}"
        return ""

    def is_touched(self, found: "StoredObject", store: str) -> bool:
        """True if only its ctime has changed: it may be served, but should be checked soon."""
        return self.version_in == store and found.touched_since(self.mark)


class IntakeNote(models.Model):
    """The digests of a source file, so that it need not be read to be published again.

    Device, inode, size and both timestamps identify one state of one file: any write changes the
    ctime, which cannot be set back.
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
