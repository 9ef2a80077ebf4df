"""Checkpoint links: one URL for a whole revision, mailed to a grant holder."""

import uuid
from datetime import datetime

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import models
from django.utils import timezone


def _credential_holds(now: datetime) -> models.Q:
    """The token or session that requested the link is still valid, or there was none."""
    token_works = models.Q(token__revoked_at=None, token__expires_at__gt=now)
    sessions = Session.objects.filter(
        session_key=models.OuterRef("session_key"), expire_date__gt=now
    )
    in_session = models.Q(session_key="") | models.Q(models.Exists(sessions))
    return models.Q(models.Q(token=None) | token_works, in_session)


class CheckpointLinkQuerySet(models.QuerySet["CheckpointLink"]):
    def live(self) -> "CheckpointLinkQuerySet":
        now = timezone.now()
        return self.filter(
            _credential_holds(now),
            state=CheckpointLink.State.ISSUED,
            revoked_at=None,
            expires_at__gt=now,
        )

    def waiting(self) -> "CheckpointLinkQuerySet":
        """Links that have yet to be issued."""
        return self.filter(state=CheckpointLink.State.QUEUED, revoked_at=None)

    def with_credential(self) -> "CheckpointLinkQuerySet":
        """Annotate `credential_holds`: False once the token or session behind it has ended."""
        return self.annotate(credential_holds=_credential_holds(timezone.now()))


class CheckpointLink(models.Model):
    """A signed, expiring claim on one revision; the gate decides again at every use.

    The token itself is not stored; the row is found by the SHA-256 of its random id. A link that
    was requested with an API token or in a session ends with it.
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
    #: None until it is issued; not "", since the column is unique and many links may wait.
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
    #: The API token that requested it; None for links of approvals, sessions and commands.
    token = models.ForeignKey(
        "accounts.ApiToken", models.CASCADE, null=True, blank=True, related_name="+"
    )
    #: The session that requested it; empty otherwise.
    session_key = models.CharField(
        max_length=40, blank=True, default="", db_default="", editable=False
    )
    cause = models.CharField(max_length=10, choices=Cause.choices)
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    state_reason = models.CharField(max_length=500, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    key_id = models.CharField(max_length=16, blank=True)
    #: Every file with its path, size in bytes and SHA-256, as of `plan_made_at`.
    plan = models.JSONField(default=list, blank=True)
    plan_made_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    issued_at = models.DateTimeField(null=True, blank=True)
    #: When a page showed it to its holder, instead of an email.
    shown_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    #: Set by `CheckpointLinkQuerySet.with_credential`.
    credential_holds: bool

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
