"""Records of erased holders, which licences require, and exports of personal data."""

import uuid

from django.conf import settings
from django.db import models


class HolderRecord(models.Model):
    """The name and address of an erased person who held a grant.

    Deleted after `keep_until`.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="holder_record"
    )
    full_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    organisation = models.CharField(max_length=200, blank=True)
    keep_until = models.DateField()

    def __str__(self) -> str:
        return f"{self.full_name}, until {self.keep_until}"


class DataExport(models.Model):
    """An archive of all data about a person; deleted after a week."""

    class State(models.TextChoices):
        QUEUED = "queued", "Being created"
        READY = "ready", "Ready"
        FAILED = "failed", "Could not be created"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="exports")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    asked_at = models.DateTimeField(auto_now_add=True)
    made_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveIntegerField(default=0, help_text="Bytes")
    content = models.BinaryField(null=True)

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(state="queued"), name="one_export_in_the_making"
            )
        ]

    def __str__(self) -> str:
        return f"export of {self.asked_at:%Y-%m-%d %H:%M}"
