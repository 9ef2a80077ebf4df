"""Inspections of blobs, and overrides of refused ones."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.inspection.families import MAX_FAMILY_LENGTH

MAX_REASON_LENGTH = 500


class InspectionQuerySet(models.QuerySet["Inspection"]):
    def refusing(self) -> "InspectionQuerySet":
        """Inspections that block a file: refused and not overridden."""
        return self.filter(~models.Exists(_granted()), outcome=Inspection.Outcome.REFUSED)

    def with_overrides(self) -> "InspectionQuerySet":
        """Annotates `is_overridden`: True if two people overrode this exact refusal."""
        return self.annotate(is_overridden=models.Exists(_granted()))

    def outdated(self, version: int, allowed: str) -> "InspectionQuerySet":
        """Inspections by older rules, or with another list of allowed imports.

        Results of newer rules are kept, since two versions run side by side during an upgrade.
        """
        has_pickle = models.Q(family="pickle") | ~models.Q(imports=[])
        other_list = models.Q(has_pickle, version=version) & ~models.Q(allowed=allowed)
        return self.filter(models.Q(version__lt=version) | other_list)


class Inspection(models.Model):
    """The verdict on a blob for one family of names, since loaders choose by name.

    One row per blob and family; a new inspection replaces the old one.
    """

    class Outcome(models.TextChoices):
        INSPECTED = "inspected", "Inspected"
        NOT_INSPECTED = "not_inspected", "Not inspected"
        CODE = "code", "Code"
        REFUSED = "refused", "Refused"

    if TYPE_CHECKING:
        is_overridden: bool

    blob = models.ForeignKey("weights.Blob", models.CASCADE, related_name="inspections")
    family = models.CharField(
        max_length=MAX_FAMILY_LENGTH,
        help_text="Family of names, which determines how loaders read the file",
    )
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    kind = models.CharField("format", max_length=40)
    reason = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)
    imports = models.JSONField(
        default=list, blank=True, help_text="Names that its pickles import when they are loaded"
    )
    tensors = models.BigIntegerField(null=True, blank=True)
    read_to_end = models.BooleanField(
        default=False,
        help_text="True if everything that a loader runs was read, so that `imports` is complete",
    )
    #: The version of the rules (`weights.inspection.formats.verdict.VERSION`), and a short hash of
    #: the additionally allowed imports, empty if none.
    version = models.PositiveIntegerField()
    allowed = models.CharField(max_length=16, blank=True)
    made_at = models.DateTimeField(default=timezone.now)

    objects = InspectionQuerySet.as_manager()

    class Meta:
        ordering = ["family"]
        constraints = [
            models.UniqueConstraint(
                fields=["blob", "family"], name="one_inspection_per_blob_and_family"
            )
        ]

    def __str__(self) -> str:
        return f"{self.blob} as {self.kind}, {self.get_outcome_display().lower()}"

    @property
    def is_partly_read(self) -> bool:
        """True if it was refused before its end; no override is possible, as it may import more."""
        return self.outcome == self.Outcome.REFUSED and not self.read_to_end

    @property
    def refusal(self) -> str:
        """The reason for not serving the file, as a sentence; empty unless it was refused."""
        if self.outcome != self.Outcome.REFUSED:
            return ""
        return f"its format was refused ({self.kind}): {self.reason}"


class OverrideQuerySet(models.QuerySet["InspectionOverride"]):
    def granted(self) -> "OverrideQuerySet":
        return self.filter(granted_at__isnull=False)


def _granted() -> OverrideQuerySet:
    """Granted overrides of the outer query's inspection with its current refusal.

    Files that were not read to the end are excluded: their imports are not all known.
    """
    return InspectionOverride.objects.granted().filter(
        inspection=models.OuterRef("pk"),
        refusal=models.OuterRef("reason"),
        inspection__read_to_end=True,
    )


class InspectionOverride(models.Model):
    """The decision to serve a refused file, requested by one release owner, granted by another.

    `granted_by` is empty if one decided alone (SINGLE_OPERATOR). It is valid only for this blob,
    family of names and exact refusal, and only if the file was read to its end.
    """

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="overrides")
    refusal = models.CharField(max_length=MAX_REASON_LENGTH)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    asked_why = models.CharField(max_length=MAX_REASON_LENGTH)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    granted_at = models.DateTimeField(null=True, blank=True)
    granted_why = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)

    objects = OverrideQuerySet.as_manager()

    class Meta:
        ordering = ["-asked_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["inspection", "refusal"], name="one_override_per_refusal"
            ),
            models.CheckConstraint(
                condition=models.Q(granted_by=None) | ~models.Q(granted_by=models.F("asked_by")),
                name="whoever_asks_for_an_override_does_not_grant_it",
            ),
        ]

    def __str__(self) -> str:
        return f"Override of {self.inspection}"
