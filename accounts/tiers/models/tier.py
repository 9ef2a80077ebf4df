"""Access tiers: what a person must do and accept to download a checkpoint."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import models
from django_countries import countries
from django_countries.fields import CountryField

from accounts.errors import InvalidValue, TierRetired
from accounts.tiers import use_terms as duo
from accounts.tiers.access_modes import AccessMode
from accounts.web.single_line_fields import OneLineFields

if TYPE_CHECKING:
    from accounts.tiers.models.licence import Licence, LicenceVersion


class Tier(OneLineFields):
    """The terms of access. Checkpoints, applications and grants belong to a tier."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    mode = models.CharField(
        max_length=20,
        choices=AccessMode.choices,
        default=AccessMode.REVIEWED,
        help_text="A new open tier opens nothing by itself: a move to it takes two people",
    )
    licence = models.ForeignKey(
        "accounts.Licence",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="tiers",
        help_text="What people accept; in an open tier each checkpoint carries its own",
    )
    #: When the tier came under this licence; None if it always was.
    licence_since = models.DateTimeField(null=True, blank=True, editable=False)
    approvals_needed = models.PositiveSmallIntegerField(
        default=1, help_text="Reviewers who must approve: 1, or 2 for the largest weights"
    )
    reapply_days = models.PositiveSmallIntegerField(
        "Days to wait after a rejection",
        default=0,
        db_default=0,
        help_text="Before the next application; a reason of the rejection can ask for more",
    )
    term_days = models.PositiveIntegerField(default=365, help_text="Days that a grant lasts")
    file_link_minutes = models.PositiveSmallIntegerField(
        default=15, help_text="Minutes that file and storage URLs are valid, at most 60"
    )
    checkpoint_link_hours = models.PositiveSmallIntegerField(
        default=168, help_text="Hours that mailed checkpoint links are valid, at most 168"
    )
    blocked_countries = CountryField(
        multiple=True, blank=True, help_text="Countries whose residents the licence excludes"
    )

    inspected_only = models.BooleanField(
        "Inspected formats only",
        default=False,
        help_text="Do not publish revisions with a file whose format cannot be inspected. "
        "What is published already stays",
    )
    publishes_commits = models.BooleanField(
        "Publish commits at once",
        default=False,
        db_default=False,
        help_text="Publish each commit of an owner's client once it is verified, without a draft",
    )
    duo_codes = models.JSONField(
        "Terms of use",
        default=list,
        blank=True,
        help_text="Codes of the Data Use Ontology: one permission, and modifiers that restrict it",
    )

    position = models.PositiveSmallIntegerField(
        "Place in lists",
        default=0,
        db_default=0,
        help_text="The lowest number comes first; equal ones are sorted by name",
    )
    retired_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode=AccessMode.OPEN) | models.Q(licence__isnull=False),
                name="gated_tiers_have_a_licence",
            ),
            models.CheckConstraint(
                condition=models.Q(file_link_minutes__range=(1, 60)),
                name="file_links_live_one_to_sixty_minutes",
            ),
            models.CheckConstraint(
                condition=models.Q(checkpoint_link_hours__range=(1, 168)),
                name="checkpoint_links_live_one_to_168_hours",
            ),
            models.CheckConstraint(
                condition=models.Q(approvals_needed__range=(1, 2)),
                name="one_or_two_reviewers_approve",
            ),
            models.CheckConstraint(
                condition=models.Q(term_days__range=(1, 3660)), name="grants_always_end"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def access_mode(self) -> AccessMode:
        return AccessMode(self.mode)

    @property
    def is_gated(self) -> bool:
        return self.access_mode.is_gated

    def require_active(self) -> None:
        """Raise TierRetired if the stored tier is retired."""
        if Tier.objects.filter(pk=self.pk, retired_at__isnull=False).exists():
            raise TierRetired(
                f"the tier {self} is retired: it takes no new checkpoints, applications or grants;"
                " choose another tier, or ask an administrator to put it back into use"
            )

    @property
    def accepted_licence(self) -> "Licence":
        """The licence that people accept; a constraint ensures that a gated tier has one."""
        assert self.licence is not None, f"{self} is open"
        return self.licence

    def licence_in_force(self) -> "LicenceVersion | None":
        """Return the text that people accept now; None for an open tier."""
        return self.licence.in_force() if self.licence else None

    @property
    def use_terms(self) -> list[duo.UseTerm]:
        """The terms of use, in the order of display."""
        return duo.terms_of(self.duo_codes)

    @property
    def excluded_countries(self) -> dict[str, str]:
        """Countries whose residents the licence excludes: ISO code -> name."""
        codes = [str(country) for country in self.blocked_countries]
        return {code: countries.name(code) for code in codes}

    def clean(self) -> None:
        """Refuse a gated tier without a licence, and an open one with a licence or terms.

        Sorts the DUO codes in the order of display; refuses unknown and contradictory ones.
        """
        try:
            self.duo_codes = duo.check(self.duo_codes)
        except InvalidValue as error:
            raise ValidationError({"duo_codes": f"{error}".capitalize()}) from error
        if self.is_gated and self.licence_id is None:
            raise ValidationError({"licence": "Choose the licence that people accept."})
        if not self.is_gated and (self.licence_id or self.duo_codes):
            text = "Leave this empty: each checkpoint of an open tier carries its own licence."
            raise ValidationError({"licence" if self.licence_id else "duo_codes": text})
