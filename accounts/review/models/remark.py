"""Remarks on answers of an application."""

from django.conf import settings
from django.db import models


class Remark(models.Model):
    """A note on one answer or on the application; the applicant answers public remarks."""

    application = models.ForeignKey("accounts.Application", models.PROTECT, related_name="remarks")
    snapshot = models.ForeignKey(
        "accounts.ApplicationSnapshot", models.PROTECT, null=True, blank=True
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    #: The decision to return the application, if the remark belongs to one.
    decision = models.ForeignKey(
        "accounts.Decision", models.PROTECT, null=True, blank=True, related_name="remarks"
    )
    field = models.CharField(
        max_length=60,
        blank=True,
        help_text="Key of the question; empty for the application as a whole",
    )
    text = models.TextField()
    is_public = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    answer = models.TextField(blank=True, help_text="The applicant's answer")
    answered_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.application}: {self.text[:60]}"
