"""Scrub turns, surveys of the store, and their findings."""

from django.db import models


class ScrubTurn(models.Model):
    """One of the `SCRUB_AT_ONCE` turns, which workers lease in order to read."""

    number = models.PositiveSmallIntegerField(unique=True)
    leased_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"turn {self.number}"


class StoreSurvey(models.Model):
    """One survey of all objects in the store, which does not read them."""

    store = models.CharField(max_length=1024)
    started_at = models.DateTimeField()
    #: None while the survey is running under its lease.
    finished_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    stored = models.PositiveIntegerField(default=0, help_text="Objects in the store")
    stored_bytes = models.BigIntegerField(default=0)
    changed = models.PositiveIntegerField(
        default=0, help_text="Blobs that were written to since their verification"
    )
    missing = models.PositiveIntegerField(default=0, help_text="Blobs that are not in the store")
    overlaid = models.PositiveIntegerField(
        default=0,
        help_text="Blobs whose verified version has a newer version or a deletion above it",
    )
    orphaned = models.PositiveIntegerField(default=0, help_text="Objects that no blob names")
    #: Why nothing can be concluded from it; empty for a good survey.
    trouble = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-started_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["store"],
                condition=models.Q(finished_at=None),
                name="one_survey_of_a_store_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return f"{self.store} at {self.started_at:%Y-%m-%d %H:%M}"


class StoreFinding(models.Model):
    """An object that the last good survey found missing, orphaned or overlaid."""

    class Kind(models.TextChoices):
        MISSING = "missing", "Not in the store"
        ORPHANED = "orphaned", "Not named by any blob"
        OVERLAID = "overlaid", "A newer version or a deletion is above the served version"

    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=1024, help_text="Key in the store")
    size = models.BigIntegerField(help_text="Bytes")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        ordering = ["kind", "key"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "key"], name="one_finding_per_kind_and_key")
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.kind}"
