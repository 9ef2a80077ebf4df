"""The decision of one reviewer on one snapshot of an application."""

from django.conf import settings
from django.db import models

from accounts.review.reasons import waiting_days


class Decision(models.Model):
    """A decision; immutable and never deleted."""

    class Verdict(models.TextChoices):
        APPROVE = "approve", "Approve"
        RETURN = "return", "Return for changes"
        REJECT = "reject", "Reject"

    application = models.ForeignKey(
        "accounts.Application", models.PROTECT, related_name="decisions"
    )
    #: None for a reopened application without answers: access had been granted without one.
    snapshot = models.ForeignKey(
        "accounts.ApplicationSnapshot", models.PROTECT, null=True, blank=True
    )
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT)
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reasons = models.JSONField(default=list, blank=True, help_text="Codes of the reason catalogue")
    note = models.TextField(blank=True, help_text="Mailed to the applicant")
    internal_note = models.TextField(blank=True, help_text="Visible only to staff")
    #: Question of accounts/review/checklist.py -> yes, no or unknown.
    checklist = models.JSONField(default=dict, blank=True)
    #: When the access granted by an approval ends.
    until = models.DateTimeField(null=True, blank=True)
    #: Days to wait after a rejection; None for decisions older than this field.
    waiting_days = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at"]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} by {self.reviewer}"

    @property
    def days_to_wait(self) -> int:
        return waiting_days(self.reasons) if self.waiting_days is None else self.waiting_days
