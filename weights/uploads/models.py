"""Uploads: each is one object that one person sends to one checkpoint."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from accounts.web.byte_sizes import format_size

#: Age at which an upload that no commit uses is deleted.
UPLOAD_AGE = timedelta(hours=24)


class UploadQuerySet(models.QuerySet["Upload"]):
    def live(self) -> "UploadQuerySet":
        """Uploads younger than `UPLOAD_AGE`."""
        return self.filter(touched_at__gt=timezone.now() - UPLOAD_AGE)

    def complete(self) -> "UploadQuerySet":
        """Live uploads whose bytes have the stated SHA-256."""
        return self.live().filter(state=Upload.State.COMPLETE)


class Upload(models.Model):
    """An object that a person sends to a checkpoint under the SHA-256 that they state.

    Its bytes stay in the store's staging area until the portal has computed the hash itself. Only
    the person who sent a complete upload may commit the object, and only to this checkpoint.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving", "Being sent"
        RECEIVED = "received", "Sent; its SHA-256 is being computed"
        COMPLETE = "complete", "Stored"
        REFUSED = "refused", "Refused"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="uploads")
    #: None after its deletion; the bytes count towards the quota until the sweep.
    checkpoint = models.ForeignKey(
        "weights.Checkpoint", models.SET_NULL, null=True, related_name="uploads"
    )
    sha256 = models.CharField(max_length=64)
    size = models.BigIntegerField(help_text="Bytes")
    state = models.CharField(max_length=12, choices=State.choices, default=State.RECEIVING)
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was refused")
    #: The store's name of its parts; empty for an object that is sent in one request.
    staging = models.CharField(max_length=1024, blank=True)
    part_size = models.BigIntegerField(default=0, help_text="Bytes of each part but the last")
    #: End of the lease of the worker that computes its hash (`weights.integrity.lease`).
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts of that work")
    created_at = models.DateTimeField(default=timezone.now)
    #: When it was last requested or received.
    touched_at = models.DateTimeField(default=timezone.now, db_index=True)
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = UploadQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "checkpoint", "sha256"], name="one_upload_per_person_and_object"
            ),
            models.CheckConstraint(
                condition=models.Q(size__gte=0), name="an_upload_has_no_negative_size"
            ),
        ]
        indexes = [models.Index(fields=["sha256"], name="upload_by_sha256")]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}… ({format_size(self.size)}) to {self.checkpoint}"

    @property
    def is_live(self) -> bool:
        """False once it is older than `UPLOAD_AGE`."""
        return self.touched_at > timezone.now() - UPLOAD_AGE

    @property
    def part_count(self) -> int:
        return -(-self.size // self.part_size) if self.part_size else 0
