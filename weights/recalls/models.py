"""Recalls of blobs and revisions."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from weights.catalogue.models import Checkpoint
from weights.publishing.models import File, Revision

if TYPE_CHECKING:
    from accounts.users.models import User


class RecallQuerySet(models.QuerySet["Recall"]):
    def open(self) -> "RecallQuerySet":
        return self.filter(state=Recall.State.OPEN)

    def about(self, checkpoints: "models.QuerySet[Checkpoint]") -> "RecallQuerySet":
        """Recalls of the checkpoints' published revisions, or of blobs that these use."""
        shown = Revision.objects.filter(checkpoint__in=checkpoints, visible_at__isnull=False)
        blobs = File.objects.filter(revision__in=shown).values("blob")
        return self.filter(models.Q(revision__in=shown) | models.Q(blob__in=blobs))

    def visible_to(self, user: "User | None", token: ApiToken | None = None) -> "RecallQuerySet":
        """Recalls about checkpoints visible to the user by `token`."""
        return self.about(Checkpoint.objects.visible_to(user, token).published())


class Recall(models.Model):
    """A recall of a blob or a revision; the ledger determines who is notified.

    Only the functions of `weights.recalls` change its state.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        REPAIRED = "repaired", "Repaired"

    class Cause(models.TextChoices):
        CHECK = "check", "A check found that the stored bytes had changed"
        OWNER = "owner", "Recalled by its publisher"
        WITHDRAWAL = "withdrawal", "Revision withdrawn by its publisher"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    #: The subject: a blob, wherever it is used, or one revision.
    blob = models.ForeignKey(
        "weights.Blob", models.PROTECT, null=True, blank=True, related_name="recalls"
    )
    revision = models.ForeignKey(
        "weights.Revision", models.PROTECT, null=True, blank=True, related_name="recalls"
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    reason = models.CharField(max_length=500, help_text="Public")
    opened_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    opened_at = models.DateTimeField(default=timezone.now)
    repaired_at = models.DateTimeField(null=True, blank=True)
    #: The revision that replaced the bytes; None if the same bytes were restored.
    repaired_in = models.ForeignKey(
        "weights.Revision", models.PROTECT, null=True, blank=True, related_name="+"
    )
    #: Progress of the mails: the id of the last person, and when the mailing finished.
    told_to = models.BigIntegerField(default=0)
    told_at = models.DateTimeField(null=True, blank=True)

    objects = RecallQuerySet.as_manager()

    class Meta:
        ordering = ["-opened_at", "-pk"]
        permissions = [("read_fetchers", "Can read who fetched what is recalled")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(blob=None, revision__isnull=False)
                | models.Q(blob__isnull=False, revision=None),
                name="a_recall_is_of_bytes_or_of_a_revision",
            ),
            models.UniqueConstraint(
                fields=["blob"], condition=models.Q(state="open"), name="one_open_recall_per_blob"
            ),
            models.UniqueConstraint(
                fields=["revision"],
                condition=models.Q(state="open"),
                name="one_open_recall_per_revision",
            ),
        ]

    def __str__(self) -> str:
        return f"Recall of {self.revision or self.blob}"

    def get_absolute_url(self) -> str:
        return reverse("weights:recall-detail", args=[self.public_id])

    @property
    def changed_at(self) -> datetime:
        """The time at which the recall entered its current state."""
        return self.repaired_at or self.opened_at
