"""Checkpoint links: one address for a whole revision, mailed to the holder of a grant."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class CheckpointLinkQuerySet(models.QuerySet["CheckpointLink"]):
    def live(self) -> "CheckpointLinkQuerySet":
        return self.filter(
            state=CheckpointLink.State.ISSUED, revoked_at=None, expires_at__gt=timezone.now()
        )


class CheckpointLink(models.Model):
    """A signed, expiring claim on one revision; every use asks the gate again.

    The token itself is not stored: the row is found by the SHA-256 of its random id.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Being prepared"
        ISSUED = "issued", "Issued"
        FAILED = "failed", "Could not be issued"

    class Cause(models.TextChoices):
        APPROVAL = "approval", "Approved application"
        REQUEST = "request", "Requested by its holder"
        COMMAND = "command", "Created by command"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    #: None until it is issued; null, not empty, since many may wait at once.
    id_digest = models.CharField(  # noqa: DJ001
        max_length=64, unique=True, null=True, editable=False
    )
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="checkpoint_links"
    )
    #: None on open checkpoints, which need no grant.
    grant = models.ForeignKey(
        "accounts.Grant", models.PROTECT, null=True, blank=True, related_name="checkpoint_links"
    )
    checkpoint = models.ForeignKey("weights.Checkpoint", models.PROTECT, related_name="links")
    revision = models.ForeignKey(
        "weights.Revision", models.PROTECT, null=True, blank=True, related_name="links"
    )
    cause = models.CharField(max_length=10, choices=Cause.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    state_reason = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    key_id = models.CharField(max_length=16, blank=True)
    #: Every file with size, SHA-256 and its own signed, expiring address; renewed when it ages.
    plan = models.JSONField(default=list, blank=True)
    plan_made_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = CheckpointLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["grant", "checkpoint"],
                condition=models.Q(cause="approval"),
                name="one_link_per_approval_and_checkpoint",
            )
        ]

    def __str__(self) -> str:
        return f"{self.checkpoint} for {self.holder}"
