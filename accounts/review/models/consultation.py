"""Questions of reviewers to colleagues."""

from django.conf import settings
from django.db import models


class Consultation(models.Model):
    """A question from one reviewer to another, with the answer; only staff read it."""

    application = models.ForeignKey(
        "accounts.Application", models.PROTECT, related_name="consultations"
    )
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    colleague = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    question = models.TextField()
    asked_at = models.DateTimeField(auto_now_add=True)
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.application}: {self.asked_by} asks {self.colleague}"
