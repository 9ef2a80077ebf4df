"""What a look into a file's format found, and who lets it pass all the same."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from weights.inspection.kinds import FAMILY_MOST

REASON_MOST = 500


class InspectionQuerySet(models.QuerySet["Inspection"]):
    def refusing(self) -> "InspectionQuerySet":
        """Those that keep a file from being given out: refused, and not overridden."""
        return self.filter(~models.Exists(_granted()), outcome=Inspection.Outcome.REFUSED)

    def with_overrides(self) -> "InspectionQuerySet":
        """Each with `is_overridden`: two people let this very refusal pass."""
        return self.annotate(is_overridden=models.Exists(_granted()))

    def outdated(self, version: int, allowed: str) -> "InspectionQuerySet":
        """Those made by an older inspector, or with other imports allowed to pickles.

        A newer inspector's results stand: during an upgrade two versions run side by side.
        """
        other_list = models.Q(version=version, family="pickle") & ~models.Q(allowed=allowed)
        return self.filter(models.Q(version__lt=version) | other_list)


class Inspection(models.Model):
    """What bytes are, as one family of names: a loader goes by the name.

    One row for each blob and family; a new look takes the place of the old one.
    """

    class Outcome(models.TextChoices):
        INSPECTED = "inspected", "Inspected"
        NOT_INSPECTED = "not_inspected", "Not inspected"
        REFUSED = "refused", "Refused"

    if TYPE_CHECKING:
        is_overridden: bool

    blob = models.ForeignKey("weights.Blob", models.CASCADE, related_name="inspections")
    family = models.CharField(
        max_length=FAMILY_MOST, help_text="Of names: what a loader takes the file for"
    )
    outcome = models.CharField(max_length=16, choices=Outcome.choices)
    kind = models.CharField("format", max_length=40)
    reason = models.CharField(max_length=REASON_MOST, blank=True)
    imports = models.JSONField(
        default=list, blank=True, help_text="What its pickles import when they are loaded"
    )
    tensors = models.BigIntegerField(null=True, blank=True)
    read_to_end = models.BooleanField(
        default=False,
        help_text="Whether all that a loader runs was read: `imports` are all there are",
    )
    #: The rules that made it: `weights.inspection.formats.verdict.VERSION`, and a short hash of
    #: the further imports that were allowed (empty for none).
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
    def is_seen_in_part(self) -> bool:
        """Refused before its end: it may import more, so nobody can let it pass."""
        return self.outcome == self.Outcome.REFUSED and not self.read_to_end

    @property
    def refusal(self) -> str:
        """Why such a file is not given out, as a sentence; empty for what was not refused."""
        if self.outcome != self.Outcome.REFUSED:
            return ""
        return f"its format was refused ({self.kind}): {self.reason}"


class OverrideQuerySet(models.QuerySet["InspectionOverride"]):
    def granted(self) -> "OverrideQuerySet":
        return self.filter(granted_at__isnull=False)

    def asked(self) -> "OverrideQuerySet":
        """Those that wait for a second person, as long as the refusal still stands."""
        return self.filter(
            granted_at=None,
            refusal=models.F("inspection__reason"),
            inspection__outcome=Inspection.Outcome.REFUSED,
            inspection__read_to_end=True,
        )


def _granted() -> OverrideQuerySet:
    """The granted override of the outer query's inspection, if its refusal is still that one.

    None counts of a file that was not read to its end: nobody saw what they let pass.
    """
    return InspectionOverride.objects.granted().filter(
        inspection=models.OuterRef("pk"),
        refusal=models.OuterRef("reason"),
        inspection__read_to_end=True,
    )


class InspectionOverride(models.Model):
    """Two staff members let a refused file pass: one asks with a reason, another agrees.

    It holds for these bytes, this family of names and this very refusal, and for no other; and
    only for a file that was read to its end.
    """

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="overrides")
    refusal = models.CharField(max_length=REASON_MOST)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    asked_at = models.DateTimeField(default=timezone.now)
    asked_why = models.CharField(max_length=REASON_MOST)
    granted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+"
    )
    granted_at = models.DateTimeField(null=True, blank=True)
    granted_why = models.CharField(max_length=REASON_MOST, blank=True)

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
