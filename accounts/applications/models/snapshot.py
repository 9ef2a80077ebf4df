"""The answers as they were submitted."""

from django.db import models


class ApplicationSnapshot(models.Model):
    """What one submission said, with the licence text accepted; never edited."""

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
