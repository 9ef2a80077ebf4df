"""Tiers with their terms of use, licences and changes."""

from datetime import datetime

from django.urls import reverse
from ninja import Schema
from pydantic import Field

from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from weights.api.schemas.common import absolute_url
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Revision


class UseTermOut(Schema):
    """A term of use: its code in the Data Use Ontology, and its meaning for weights."""

    code: str = Field(examples=["DUO:0000046"])
    short: str = Field(examples=["NCU"])
    label: str
    words: str
    kind: str = Field(description="permission or modifier")
    url: str


class TierOut(Schema):
    """The conditions of access to bytes: `mode` is open, click-through or reviewed."""

    slug: str
    name: str
    mode: str
    duo_codes: list[str] = Field(examples=[["DUO:0000042", "DUO:0000046"]])
    retired_at: datetime | None = Field(
        description="Since then it takes no checkpoints, applications or grants"
    )


class LicenceOut(Schema):
    """A licence and its version in force; `version` is null before the first comes into force.

    A licence that only a card states has no version here; `slug` is then its identifier.
    """

    slug: str
    title: str
    spdx_id: str
    version: str | None
    text_sha256: str | None
    url: str

    @classmethod
    def of(cls, licence: Licence, version: LicenceVersion | None) -> "LicenceOut":
        return cls(
            slug=licence.slug,
            title=licence.title,
            spdx_id=licence.spdx_id,
            version=version.version if version else None,
            text_sha256=version.text_sha256 if version else None,
            url=absolute_url(reverse("accounts:licence-detail", args=[licence.slug])),
        )

    @classmethod
    def of_checkpoint(
        cls, checkpoint: Checkpoint, revision: Revision | None, version: LicenceVersion | None
    ) -> "LicenceOut | None":
        """Return the checkpoint's licence; `version` is the text in force, if it is held here."""
        if text := licences.text_of(checkpoint):
            return cls.of(text, version)
        stated = licences.of_checkpoint(checkpoint, revision)
        if stated is None:
            return None
        return cls(
            slug=stated.code,
            title=stated.title,
            spdx_id=licences.spdx_id(stated.code),
            version=None,
            text_sha256=None,
            url=stated.url,
        )


class TierDetail(TierOut):
    """A tier with its terms; `questions` are its form's labels, empty without applications."""

    description: str
    use_terms: list[UseTermOut]
    terms: LicenceOut | None = Field(description="Null for an open tier")
    approvals_needed: int
    term_days: int
    file_link_minutes: int
    checkpoint_link_hours: int
    inspected_only: bool = Field(description="Refuses files whose format cannot be inspected")
    blocked_countries: list[str] = Field(description="Two-letter codes", examples=[["KP"]])
    questions: list[str]
    url: str

    @classmethod
    def of(cls, tier: Tier, version: LicenceVersion | None, questions: list[str]) -> "TierDetail":
        return cls(
            **TierOut.from_orm(tier).model_dump(),
            description=tier.description,
            use_terms=[UseTermOut.from_orm(term) for term in tier.use_terms],
            terms=LicenceOut.of(tier.licence, version) if tier.licence else None,
            approvals_needed=tier.approvals_needed,
            term_days=tier.term_days,
            file_link_minutes=tier.file_link_minutes,
            checkpoint_link_hours=tier.checkpoint_link_hours,
            inspected_only=tier.inspected_only,
            blocked_countries=[str(country) for country in tier.blocked_countries],
            questions=questions,
            url=absolute_url(reverse("accounts:tier-detail", args=[tier.slug])),
        )


class FieldChange(Schema):
    """The public form of both values, empty if none."""

    field: str
    label: str
    before: str
    after: str


class TierChangeOut(Schema):
    """A change of a tier; staff are identified by role, never by name."""

    at: datetime
    kind: str = Field(examples=["changed", "checkpoint_in"])
    by_role: str
    checkpoint: str | None
    fields: list[FieldChange]

    @staticmethod
    def resolve_checkpoint(change: TierChange) -> str | None:
        return change.checkpoint or None


class TierChangePage(Schema):
    """`next` is the URL of the next page, null on the last."""

    changes: list[TierChangeOut]
    total: int
    next: str | None
