"""The public history of a tier: its changes, with dates and the roles of their authors."""

from django.conf import settings
from django.db import models


class TierChange(models.Model):
    """One change, written in the same transaction; afterwards only `hidden` may change.

    `fields` lists the changed terms as dicts of public texts: label, before, after. The public
    history names the author only by `by_role`; staff also see `by`.
    """

    class Kind(models.TextChoices):
        MADE = "made", "Created"
        CHANGED = "changed", "Changed"
        TEXT = "licence_text", "New licence text"
        QUESTIONS = "questions", "Questions changed"
        CHECKPOINT_IN = "checkpoint_in", "Checkpoint added"
        CHECKPOINT_OUT = "checkpoint_out", "Checkpoint removed"
        RETIRED = "retired", "Retired"
        UNRETIRED = "unretired", "Back in use"
        #: The first row of a tier that is older than its history.
        NOTED = "noted", "State recorded"

    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="changes")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    fields = models.JSONField(default=list, blank=True)
    checkpoint = models.CharField(max_length=193, blank=True, help_text="ORG/NAME")
    #: True if the checkpoint was hidden from the public when it moved, or has been since.
    hidden = models.BooleanField(default=False)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    by_role = models.CharField(max_length=40)

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [models.Index(fields=["tier", "-at"], name="tier_history")]

    def __str__(self) -> str:
        return f"{self.tier}: {self.get_kind_display().lower()} at {self.at:%Y-%m-%d %H:%M}"
