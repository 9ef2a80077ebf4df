"""Entries and curves of the training logbook."""

import uuid
from datetime import date
from typing import TYPE_CHECKING, Any, Self, TypeVar

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.web.single_line_fields import OneLineFields
from weights.catalogue.models import Checkpoint, Family
from weights.logbook import points

if TYPE_CHECKING:
    from accounts.users.models import User

MAX_TEXT = 20_000
Record = TypeVar("Record", bound="LogbookRecord")


class Cause(models.TextChoices):
    """The cause or kind of an event."""

    HARDWARE = "hardware", "Hardware"
    DIVERGENCE = "divergence", "Divergence"
    RESTART = "restart", "Restart"
    DATA = "data", "Data"
    RELEASE = "release", "Release"
    SOFTWARE = "software", "Software"
    MILESTONE = "milestone", "Milestone"


class LogbookQuerySet(models.QuerySet[Record]):
    def visible_to(self, user: "User | None") -> Self:
        """Records about checkpoints that `user` may see, and families with such a checkpoint."""
        visible = Checkpoint.objects.visible_to(user)
        families = Family.objects.filter(checkpoints__in=visible)
        return self.filter(models.Q(checkpoint__in=visible) | models.Q(family__in=families))

    def about(self, checkpoint: Checkpoint) -> Self:
        """Records about `checkpoint` or its family as a whole."""
        subject = models.Q(checkpoint=checkpoint)
        if checkpoint.family_id is not None:
            subject |= models.Q(family=checkpoint.family_id)
        return self.filter(subject)


class LogbookRecord(OneLineFields):
    """Subject, source and authorship of an entry or a curve.

    The subject is one checkpoint or one family. A record outlives the accounts of its authors.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    checkpoint = models.ForeignKey(
        "weights.Checkpoint", models.PROTECT, null=True, blank=True, related_name="+"
    )
    family = models.ForeignKey(
        "weights.Family",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="Instead of a checkpoint, for the family as a whole",
    )
    title = models.CharField(max_length=200)
    source = models.CharField(max_length=300, blank=True, help_text="The document that states this")
    source_url = models.URLField("URL of the source", max_length=500, blank=True)
    created_at = models.DateTimeField("written", default=timezone.now, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name="written by",
    )
    changed_at = models.DateTimeField("last changed", default=timezone.now, editable=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name="last changed by",
    )

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                condition=models.Q(checkpoint=None, family__isnull=False)
                | models.Q(checkpoint__isnull=False, family=None),
                name="%(class)s_has_one_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.title}"

    def clean(self) -> None:
        """Raises ValidationError unless it has exactly one subject."""
        if (self.checkpoint_id is None) == (self.family_id is None):
            # An error of a field, since the constraint would add a second one to `__all__`.
            message = "Choose either a checkpoint or a family."
            raise ValidationError({"checkpoint": ValidationError(message, code="one_subject")})

    @property
    def subject(self) -> Checkpoint | Family | None:
        return self.checkpoint or self.family


class LogbookEntry(LogbookRecord):
    """One event: its day, cause and text, and the training step at which it happened."""

    date = models.DateField(help_text="The first day, if it lasted longer")
    shown_date = models.CharField(
        "date as shown",
        max_length=80,
        blank=True,
        help_text="If the day is not known, such as “Week of 25 November 2021”",
    )
    cause = models.CharField(max_length=12, choices=Cause.choices)
    step = models.PositiveBigIntegerField(
        "training step",
        null=True,
        blank=True,
        help_text="Links to the branch or tag named step1000 or step-1000, if any",
    )
    text = models.TextField(
        blank=True, validators=[MaxLengthValidator(MAX_TEXT)], help_text="Markdown"
    )

    objects = LogbookQuerySet.as_manager()

    class Meta(LogbookRecord.Meta):
        verbose_name = "logbook entry"
        verbose_name_plural = "logbook entries"
        ordering = ["date", "pk"]
        indexes = [models.Index(fields=["date"], name="logbook_entry_by_date")]

    def get_absolute_url(self) -> str:
        return reverse("weights:logbook-entry", args=[self.public_id])

    @property
    def day(self) -> str:
        """The date as shown: `18 October 2021`, or the text for an inexact one."""
        return self.shown_date or f"{self.date.day} {self.date:%B %Y}"

    def clean(self) -> None:
        """Raises ValidationError for a missing subject, or a step without a checkpoint."""
        super().clean()
        if self.step is not None and self.checkpoint_id is None:
            raise ValidationError({"step": "A step needs a checkpoint; a family has many runs."})


class LogbookSeries(LogbookRecord):
    """A curve of a training run, such as its loss by step or its progress by date.

    `points` is a list of [x, y] with rising x: a step (int) or an ISO date; y is a number.
    """

    class Axis(models.TextChoices):
        STEP = "step", "Training step"
        DATE = "date", "Date"

    axis = models.CharField("horizontal axis", max_length=4, choices=Axis.choices)
    unit = models.CharField(max_length=60, blank=True, help_text="Of the values, such as “%”")
    points = models.JSONField(default=list)

    objects = LogbookQuerySet.as_manager()

    class Meta(LogbookRecord.Meta):
        verbose_name = "logbook curve"
        verbose_name_plural = "logbook curves"
        ordering = ["pk"]

    def clean(self) -> None:
        """Raises ValidationError for a missing subject, or points that cannot be drawn."""
        super().clean()
        try:
            points.validate(self.points, dated=self.is_dated)
        except ValueError as error:
            raise ValidationError({"points": str(error)}) from error

    @property
    def is_dated(self) -> bool:
        return self.axis == self.Axis.DATE

    def positions(self) -> list[tuple[float, float]]:
        """The points as numbers; a date is its proleptic Gregorian ordinal."""
        return [(self._position(x), float(y)) for x, y in self.points]

    def position_of(self, entry: LogbookEntry) -> float | None:
        """The position of an entry on the horizontal axis; None without a step."""
        if self.is_dated:
            return float(entry.date.toordinal())
        return None if entry.step is None else float(entry.step)

    def as_text(self, position: float) -> str:
        """A position on the horizontal axis in words: `11 Nov 2021`, `12,000`."""
        if not self.is_dated:
            return f"{round(position):,}"
        day = date.fromordinal(round(position))
        return f"{day.day} {day:%b %Y}"

    def _position(self, x: Any) -> float:
        return float(date.fromisoformat(x).toordinal() if self.is_dated else x)
