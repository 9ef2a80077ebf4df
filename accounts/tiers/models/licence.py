"""Licences and their immutable versions."""

import hashlib
from datetime import UTC, datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from accounts.web import sanitize
from accounts.web.single_line_fields import OneLineFields


class Licence(OneLineFields):
    """The terms of a release; one licence has several versions."""

    slug = models.SlugField(unique=True)
    spdx_id = models.CharField(max_length=80, blank=True, help_text="SPDX id or LicenseRef-…")
    title = models.CharField(max_length=200)
    original_url = models.URLField(blank=True, help_text="Where the licensor publishes the text")
    attribution = models.TextField(
        blank=True, help_text="The notice that the licence requires with every copy"
    )

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        if sanitize.has_hidden(self.attribution, breaks=True):
            raise ValidationError(
                {"attribution": "Remove control characters and invisible characters."}
            )

    def in_force(self) -> "LicenceVersion | None":
        """Return the version that a person accepts now: the newest one in force."""
        return self.in_force_by(timezone.now()).first()

    def in_force_by(self, now: datetime) -> "models.QuerySet[LicenceVersion]":
        """Return every version that took effect by `now`, newest first."""
        return self.versions.filter(effective_at__lte=now).order_by("-effective_at")


class LicenceVersion(OneLineFields):
    """One text of a licence. It is never edited; a change is a new version."""

    licence = models.ForeignKey(Licence, models.PROTECT, related_name="versions")
    version = models.CharField(max_length=40)
    text = models.TextField(help_text="Markdown")
    text_sha256 = models.CharField(max_length=64, editable=False)
    effective_at = models.DateTimeField(default=timezone.now)
    notice_days = models.PositiveSmallIntegerField(
        default=30,
        help_text="Days for which earlier acceptances remain valid; 0 ends them at once",
    )
    summary = models.CharField(max_length=500, blank=True, help_text="What changed")
    is_sample = models.BooleanField(
        default=False, help_text="Draft text shipped with the portal, for the owner to replace"
    )

    #: When all holders of an older text had been mailed, and when they had been reminded.
    announced_at = models.DateTimeField(null=True, blank=True, editable=False)
    reminded_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["licence", "version"], name="one_text_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.licence} {self.version}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Hash a new text. Raises ValueError if a saved text was changed."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        if self.pk and self.text_sha256 and self.text_sha256 != digest:
            raise ValueError(f"{self} is frozen; create a new version")
        self.text_sha256 = digest
        super().save(*args, **kwargs)  # type: ignore[arg-type]

    def clean(self) -> None:
        """Refuse a version that takes effect before an existing one: it would never be used."""
        if self.pk or not self.licence_id or not self.effective_at:
            return
        newest = LicenceVersion.objects.filter(licence=self.licence_id).order_by("-effective_at")
        last = newest.first()
        if last is not None and self.effective_at <= last.effective_at:
            effective = f"{last.effective_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
            raise ValidationError(
                {
                    "effective_at": f"Version {last.version} is effective from {effective} on; "
                    "choose a later time, or this text would never be in force."
                }
            )

    @property
    def summary_sentence(self) -> str:
        """The summary of changes with exactly one full stop."""
        return f"{self.summary.rstrip(' .')}." if self.summary else ""

    @property
    def notice_ends(self) -> datetime:
        """When grants under older texts stop working until this text is accepted."""
        return self.effective_at + timedelta(days=self.notice_days)

    def notice_ends_since(self, since: datetime | None) -> datetime:
        """Return `notice_ends` for a tier that adopted the licence at `since`."""
        begins = max(self.effective_at, since or self.effective_at)
        return begins + timedelta(days=self.notice_days)

    @property
    def is_urgent(self) -> bool:
        return self.notice_days == 0

    def before(self) -> "LicenceVersion | None":
        """Return the previous version, or None."""
        older = LicenceVersion.objects.filter(
            licence=self.licence_id, effective_at__lt=self.effective_at
        )
        return older.order_by("-effective_at").first()
