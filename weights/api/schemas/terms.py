"""Terms, licences and tiers, and how they changed."""

from datetime import datetime

from ninja import Schema
from pydantic import Field

from accounts.tiers.models import Licence, LicenceVersion, Tier
from accounts.tiers.use_terms import UseTerm
from weights.api.schemas.common import address


class UseTermTold(Schema):
    """One term of use as a code of the Data Use Ontology, with what it means for weights."""

    code: str = Field(examples=["DUO:0000046"])
    short: str = Field(examples=["NCU"])
    label: str
    words: str
    kind: str = Field(description="permission or modifier")
    url: str

    @classmethod
    def of(cls, term: UseTerm) -> "UseTermTold":
        return cls(
            code=term.code,
            short=term.short,
            label=term.label,
            words=term.words,
            kind=term.kind,
            url=term.url,
        )


class TierTold(Schema):
    """What the bytes demand: `mode` is open, click-through or reviewed."""

    slug: str
    name: str
    mode: str
    duo_codes: list[str] = Field(examples=[["DUO:0000042", "DUO:0000046"]])

    @classmethod
    def of(cls, tier: Tier) -> "TierTold":
        return cls(slug=tier.slug, name=tier.name, mode=tier.mode, duo_codes=tier.duo_codes)


class LicenceTold(Schema):
    """The terms, with the text in force; `version` is null where no text is in force yet."""

    slug: str
    title: str
    spdx_id: str
    version: str | None
    text_sha256: str | None
    url: str

    @classmethod
    def of(cls, licence: Licence, version: LicenceVersion | None) -> "LicenceTold":
        return cls(
            slug=licence.slug,
            title=licence.title,
            spdx_id=licence.spdx_id,
            version=version.version if version else None,
            text_sha256=version.text_sha256 if version else None,
            url=address(f"/licences/{licence.slug}/"),
        )


class TierDetail(TierTold):
    """A tier's terms; `questions` are the labels of its form, none where nobody applies."""

    description: str
    use_terms: list[UseTermTold]
    terms: LicenceTold
    approvals_needed: int
    term_days: int
    file_link_minutes: int
    checkpoint_link_hours: int
    inspected_only: bool = Field(description="Takes no file whose format cannot be inspected")
    blocked_countries: list[str] = Field(description="Two-letter codes", examples=[["KP"]])
    questions: list[str]
    url: str

    @classmethod
    def of(  # type: ignore[override]
        cls, tier: Tier, version: LicenceVersion | None, questions: list[str]
    ) -> "TierDetail":
        return cls(
            **TierTold.of(tier).model_dump(),
            description=tier.description,
            use_terms=[UseTermTold.of(term) for term in tier.use_terms],
            terms=LicenceTold.of(tier.licence, version),
            approvals_needed=tier.approvals_needed,
            term_days=tier.term_days,
            file_link_minutes=tier.file_link_minutes,
            checkpoint_link_hours=tier.checkpoint_link_hours,
            inspected_only=tier.inspected_only,
            blocked_countries=[str(country) for country in tier.blocked_countries],
            questions=questions,
            url=address(f"/tiers/{tier.slug}/"),
        )


class FieldChange(Schema):
    """`before` and `after` as the public reads them; empty for none."""

    field: str
    label: str
    before: str
    after: str


class TierChangeTold(Schema):
    """One change; staff are told by their role, never by name."""

    at: datetime
    kind: str = Field(examples=["changed", "checkpoint_in"])
    by_role: str
    checkpoint: str | None
    fields: list[FieldChange]


class TierChangePage(Schema):
    """`next` is the address of what follows, null on the last page."""

    changes: list[TierChangeTold]
    total: int
    next: str | None
