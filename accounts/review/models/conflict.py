"""Conflicts of interest, declared by reviewers or caused by an earlier rejection."""

from django.conf import settings
from django.db import models


class Conflict(models.Model):
    """Excludes a reviewer from deciding an application."""

    #: The reason for reviewers who rejected the application that is appealed.
    REJECTED = "rejected the application that this appeals"

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

    @property
    def refusal(self) -> str:
        """Why the reviewer cannot decide, without their own text."""
        if self.reason == self.REJECTED:
            return f"you rejected what {self.application.reference} appeals"
        return f"you declared a conflict of interest in {self.application.reference}"
