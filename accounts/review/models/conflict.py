"""Declared conflicts of interest."""

from django.conf import settings
from django.db import models


class Conflict(models.Model):
    """A declaration of a reviewer that they must not decide this application."""

    application = models.ForeignKey(
        "accounts.Application", models.PROTECT, related_name="conflicts"
    )
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    declared_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "reviewer"], name="one_conflict_per_reviewer"
            )
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} in {self.application}"
