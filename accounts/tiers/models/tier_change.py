"""The dated public history of a tier: what was gated when, and by whom."""

from django.conf import settings
from django.db import models


class TierChange(models.Model):
    """One change, written in the transaction that made it; later only `hidden` may change.

    `fields` lists what changed in public words: label, before, after. `by_role` is what the
    public reads of who made it; `by` is for staff.
    """

    class Kind(models.TextChoices):
        MADE = "made", "Made"
        CHANGED = "changed", "Changed"
        TEXT = "licence_text", "New licence text"
        QUESTIONS = "questions", "Other questions"
        CHECKPOINT_IN = "checkpoint_in", "Checkpoint came in"
        CHECKPOINT_OUT = "checkpoint_out", "Checkpoint left"
        #: The first row of a tier that is older than its history.
        NOTED = "noted", "Noted as it stood"

    tier = models.ForeignKey("accounts.Tier", models.PROTECT, related_name="changes")
    at = models.DateTimeField(auto_now_add=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    fields = models.JSONField(default=list, blank=True)
    checkpoint = models.CharField(max_length=193, blank=True, help_text="As org/name")
    #: One that the public did not know of when it moved, or that was hidden since, is never
    #: named to it.
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
