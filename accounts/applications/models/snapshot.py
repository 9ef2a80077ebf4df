"""Snapshots: the answers of one submission."""

from django.db import models


class ApplicationSnapshot(models.Model):
    """The answers of one submission and the licence text accepted with it; never edited."""

    application = models.ForeignKey(
        "accounts.Application", models.PROTECT, related_name="snapshots"
    )
    number = models.PositiveSmallIntegerField()
    answers = models.JSONField()
    licence_version = models.ForeignKey("accounts.LicenceVersion", models.PROTECT)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "number"], name="snapshots_are_numbered_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.application} as submitted the {self.number}. time"
