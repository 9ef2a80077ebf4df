"""Licences and their frozen versions."""

import hashlib

from django.db import models
from django.utils import timezone


class Licence(models.Model):
    """The terms of a release, under one name through all their versions."""

    slug = models.SlugField(unique=True)
    spdx_id = models.CharField(max_length=80, blank=True, help_text="SPDX id or LicenseRef-…")
    title = models.CharField(max_length=200)
    original_url = models.URLField(blank=True, help_text="Where the licensor publishes the text")
    attribution = models.TextField(
        blank=True, help_text="The line that the licence demands with every copy"
    )

    def __str__(self) -> str:
        return self.title

    def in_force(self) -> "LicenceVersion | None":
        """The version that a person accepts today: the newest whose date has come."""
        return (
            self.versions.filter(effective_at__lte=timezone.now()).order_by("-effective_at").first()
        )


class LicenceVersion(models.Model):
    """One frozen text. A change makes a new version; this one is never edited."""

    licence = models.ForeignKey(Licence, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    text = models.TextField(help_text="Markdown")
    text_sha256 = models.CharField(max_length=64, editable=False)
    effective_at = models.DateTimeField(default=timezone.now)
    notice_days = models.PositiveSmallIntegerField(
        default=30,
        help_text="Days after the effective date on which grants of older versions still open",
    )
    summary = models.CharField(max_length=500, blank=True, help_text="What changed")
    is_sample = models.BooleanField(
        default=False, help_text="Wording shipped with the portal for the owner to replace"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["licence", "version"], name="one_text_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.licence} {self.version}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Freeze: the hash is made at creation, and a saved text refuses to change."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        if self.pk and self.text_sha256 and self.text_sha256 != digest:
            raise ValueError(f"{self} is frozen; make a new version")
        self.text_sha256 = digest
        super().save(*args, **kwargs)  # type: ignore[arg-type]
