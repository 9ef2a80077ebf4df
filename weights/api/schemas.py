"""What the API says and hears. Sizes are bytes, times are UTC, ids are UUIDs."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from accounts.duo import UseTerm
from accounts.extras import Extra
from accounts.models import Attachment, Grant, Licence, LicenceVersion, Remark, Tier
from accounts.receipts import Receipt
from weights.models import (
    Checkpoint,
    CheckpointLink,
    File,
    Inspection,
    KnownIssue,
    ManifestKey,
    Revision,
)


def address(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}"


class Hearing(Schema):
    """A body; a field that is not known is an error, not a silence."""

    model_config = ConfigDict(extra="forbid")


# -- problems ---------------------------------------------------------------------------


class NextStep(Schema):
    text: str
    url: str


class FieldFault(Schema):
    field: str
    message: str


class Problem(Schema):
    """Problem details (RFC 9457); `code` is stable, `type` is the address that explains it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    errors: list[FieldFault] | None = None
    next_step: NextStep | None = None


class CodeMeaning(Schema):
    code: str
    status: int
    title: str
    remedy: str


# -- terms ------------------------------------------------------------------------------


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


# -- checkpoints ------------------------------------------------------------------------


class CheckpointTold(Schema):
    """A catalogue entry; `revision` is what `main` names, null where nothing is published."""

    repo: str
    title: str
    summary: str
    family: str | None
    tier: TierTold
    licence: str
    parameters: int | None
    synthetic: bool
    private: bool
    published_at: datetime | None
    revision: str | None
    files: int
    bytes: int
    url: str

    @classmethod
    def facts_of(cls, checkpoint: Checkpoint, main: Revision | None) -> dict[str, Any]:
        return {
            "repo": checkpoint.repo_id,
            "title": checkpoint.title,
            "summary": checkpoint.summary,
            "family": checkpoint.family.slug if checkpoint.family else None,
            "tier": TierTold.of(checkpoint.tier),
            "licence": checkpoint.tier.licence.slug,
            "parameters": checkpoint.parameters,
            "synthetic": checkpoint.synthetic,
            "private": checkpoint.private,
            "published_at": checkpoint.published_at,
            "revision": main.sha if main else None,
            "files": main.file_count if main else 0,
            "bytes": main.total_bytes if main else 0,
            "url": address(checkpoint.get_absolute_url()),
        }


class CheckpointDetail(CheckpointTold):
    facts: dict[str, Any]
    terms: LicenceTold
    use_terms: list[UseTermTold]
    refs: dict[str, str] = Field(description="Branches and tags, each with its revision's id")


class IssueTold(Schema):
    """A known issue or a finding, as it was published; `path` is empty for the whole."""

    id: UUID
    repo: str
    kind: str = Field(description="issue or finding")
    path: str
    title: str
    text: str
    published_at: datetime
    resolved_at: datetime | None

    @classmethod
    def of(cls, issue: KnownIssue) -> "IssueTold":
        return cls(
            id=issue.public_id,
            repo=issue.checkpoint.repo_id,
            kind=issue.kind,
            path=issue.path,
            title=issue.title,
            text=issue.text,
            published_at=issue.published_at,
            resolved_at=issue.resolved_at,
        )


class IssuePage(Schema):
    """`next` is the address of what follows, null on the last page."""

    issues: list[IssueTold]
    total: int
    next: str | None


class CheckpointPage(Schema):
    """`next` is the address of what follows, null on the last page."""

    checkpoints: list[CheckpointTold]
    total: int
    next: str | None


class KeyTold(Schema):
    """`pem` and its address are null for a compromised key, whose signatures prove nothing."""

    id: str
    purpose: Literal["manifests"]
    algorithm: Literal["ecdsa-p256-sha256"]
    state: Literal["current", "retired", "compromised"]
    fingerprint: str = Field(description="SHA-256 of the PEM file")
    pem: str | None
    url: str | None
    first_used_at: datetime
    retired_at: datetime | None
    compromised_at: datetime | None = Field(description="When that was known")
    compromised_from: datetime | None = Field(
        description="From when on others may have had it; null beside `compromised_at`: always"
    )
    reason: str

    @classmethod
    def of(cls, key: ManifestKey) -> "KeyTold":
        trusted = key.compromised_at is None
        return cls(
            id=key.key_id,
            purpose="manifests",
            algorithm="ecdsa-p256-sha256",
            state=key.state,
            fingerprint=key.fingerprint,
            pem=key.public_pem if trusted else None,
            url=address(f"/keys/{key.key_id}.pem") if trusted else None,
            first_used_at=key.first_used_at,
            retired_at=key.retired_at,
            compromised_at=key.compromised_at,
            compromised_from=key.compromised_from,
            reason=key.reason,
        )


class FindingTold(Schema):
    """What looks wrong in a revision's files; `paths` may be cut to the first ones."""

    code: str
    severity: Literal["error", "warning"]
    sentence: str
    paths: list[str]


class RevisionTold(Schema):
    """`findings` is null while nobody has looked, empty where nothing looks wrong."""

    id: str
    refs: list[str]
    parent: str | None
    message: str
    manifest_sha256: str
    files: int
    bytes: int
    published_at: datetime | None
    findings: list[FindingTold] | None
    manifest_url: str
    signature_url: str | None
    signed_by: str | None = Field(description="Id of the key; the newest that is trusted")

    @classmethod
    def of(
        cls, revision: Revision, refs: list[str], parent: str | None, key: str | None
    ) -> "RevisionTold":
        manifest = address(f"/{revision.checkpoint.repo_id}/manifest/{revision.sha}")
        return cls(
            id=revision.sha,
            refs=refs,
            parent=parent,
            message=revision.message,
            manifest_sha256=revision.manifest_sha256,
            files=revision.file_count,
            bytes=revision.total_bytes,
            published_at=revision.visible_at,
            findings=revision.findings,
            manifest_url=f"{manifest}.json",
            signature_url=f"{manifest}.sig" if key else None,
            signed_by=key,
        )


class InspectionTold(Schema):
    """What a file was found to be, by its name; `imports` are those of its pickles.

    `outcome` is inspected, not_inspected, refused, or overridden: refused, and let pass by two
    staff members.
    """

    format: str = Field(examples=["safetensors"])
    outcome: str
    reason: str = Field(description="Why it was refused or not inspected; empty otherwise")
    imports: list[str]
    tensors: int | None
    made_at: datetime

    @classmethod
    def of(cls, inspection: Inspection) -> "InspectionTold":
        refused = inspection.outcome == Inspection.Outcome.REFUSED
        return cls(
            format=inspection.kind,
            outcome="overridden" if refused and inspection.is_overridden else inspection.outcome,
            reason=inspection.reason,
            imports=inspection.imports,
            tensors=inspection.tensors,
            made_at=inspection.made_at,
        )


class FileTold(Schema):
    """One line of a manifest; `git_oid` is the git blob id of the file or of its LFS pointer."""

    path: str
    size: int
    sha256: str
    git_oid: str
    md5: str | None
    part: int | None
    shard: int | None
    state: str = Field(description="verified; anything else is not served now")
    inspection: InspectionTold | None = Field(description="null until its format was looked at")

    @classmethod
    def of(cls, file: File, inspection: Inspection | None) -> "FileTold":
        return cls(
            path=file.path,
            size=file.size,
            sha256=file.sha256,
            git_oid=file.git_oid,
            md5=file.md5 or None,
            part=file.part,
            shard=file.shard,
            state=file.blob.state,
            inspection=InspectionTold.of(inspection) if inspection else None,
        )


class ManifestPage(Schema):
    """The files of one revision in path order; `next` is null on the last page."""

    repo: str
    revision: str
    manifest_sha256: str
    total: int
    bytes: int
    files: list[FileTold]
    next: str | None


# -- downloads --------------------------------------------------------------------------


class PlannedFile(Schema):
    """One file to fetch; `url` is null, and `code` says why, for one that is not served."""

    path: str
    size: int
    sha256: str
    url: str | None
    expires: datetime | None
    code: str | None = None


class Plan(Schema):
    """Everything to fetch; `seconds` is the time at `rate`, rounded up."""

    repo: str
    revision: str
    count: int
    bytes: int
    rate: int | None
    seconds: int | None
    files: list[PlannedFile]


class FileLinkAsked(Hearing):
    repo: str = Field(max_length=200, examples=["weighbridge/demo-open"])
    revision: str = Field("main", max_length=300)
    path: str = Field(max_length=1024, examples=["config.json"])
    seconds: int | None = Field(None, description="Its life, 1 to 3600; else by the file's size")


class FileLinkTold(Schema):
    url: str
    expires: datetime


class LinkAsked(Hearing):
    repo: str = Field(max_length=200, examples=["weighbridge/demo-gated"])


class LinkTold(Schema):
    """A checkpoint link. Its address is told once, by mail, and kept nowhere.

    `state` is queued, issued or failed; `reason` says why it failed.
    """

    id: UUID
    repo: str
    revision: str | None
    state: str
    reason: str
    cause: str
    live: bool
    created_at: datetime
    issued_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    @classmethod
    def of(cls, link: CheckpointLink, now: datetime) -> "LinkTold":
        issued = link.state == CheckpointLink.State.ISSUED and link.revoked_at is None
        return cls(
            id=link.public_id,
            repo=link.checkpoint.repo_id,
            revision=link.revision.sha if link.revision else None,
            state=link.state,
            reason=link.state_reason,
            cause=link.cause,
            live=issued and link.expires_at is not None and link.expires_at > now,
            created_at=link.created_at,
            issued_at=link.issued_at,
            expires_at=link.expires_at,
            revoked_at=link.revoked_at,
        )


class Answer(Schema):
    """What the gate would say now; `status` is that of the refusal, 200 when allowed."""

    allowed: bool
    status: int
    code: str | None
    message: str
    next_step: NextStep | None
    repo: str
    revision: str | None
    path: str | None
    sha256: str | None
    size: int | None
    grant: UUID | None


class Place(Schema):
    """One place where a file stands, and the terms it stands under."""

    repo: str
    revision: str
    refs: list[str]
    path: str
    tier: TierTold
    terms: LicenceTold
    url: str


class FileKnown(Schema):
    """A file from here; `state` is verified, or quarantined for one that must not be used."""

    sha256: str
    size: int
    state: str
    total: int = Field(description="Places in all; at most 100 are told")
    places: list[Place]


# -- people -----------------------------------------------------------------------------


class GrantTold(Schema):
    """A right to a tier; `live` says whether it opens now, as long as the licence holds."""

    id: UUID
    tier: TierTold
    state: str
    live: bool
    licence_outdated: bool
    starts_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    suspended_until: datetime | None = Field(description="When a suspension ends by itself")
    reason: str = Field(description="Why it is suspended or was revoked")
    origin: str
    licence: str
    licence_version: str

    @classmethod
    def of(cls, grant: Grant, *, outdated: bool) -> "GrantTold":
        return cls(
            id=grant.public_id,
            tier=TierTold.of(grant.tier),
            state=grant.state,
            live=grant.is_live,
            licence_outdated=outdated,
            starts_at=grant.starts_at,
            expires_at=grant.expires_at,
            ended_at=grant.ended_at,
            suspended_until=grant.suspended_until,
            reason=grant.suspension_reason if grant.is_held else grant.end_reason,
            origin=grant.origin,
            licence=grant.tier.licence.slug,
            licence_version=grant.licence_version.version,
        )


class AddressTold(Schema):
    """A file's address of the store: `ends_at` is its last second."""

    name: str
    ends_at: datetime


class ReceiptTold(Schema):
    """What still works of a grant that was closed `at`; nothing of it outlives `bound`."""

    at: datetime
    bound: datetime
    alive: list[AddressTold]

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptTold":
        alive = [AddressTold(name=one.name, ends_at=one.ends_at) for one in receipt.alive]
        return cls(at=receipt.at, bound=receipt.bound, alive=alive)


class TierAsked(Hearing):
    tier: str = Field(max_length=50, examples=["opt-175b"])


def _answer(most: int = 20_000, **facts: Any) -> Any:
    return Field(None, max_length=most, **facts)


#: An answer to a tier's own question: text, a tick, a number, or several texts.
ExtraAnswer = str | bool | int | float | list[str] | list[dict[str, Any]]


class Answers(BaseModel):
    """The questions of every application, and a tier's own as the application's `questions`
    list them, each by its key; a draft may leave any of them out."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "additionalProperties": False,
            "patternProperties": {
                "^extra_": {
                    "anyOf": [
                        {"type": "string", "maxLength": 20_000},
                        {"type": "boolean"},
                        {"type": "number"},
                        {"type": "array", "items": {"type": ["string", "object"]}},
                    ]
                }
            },
        },
    )
    __pydantic_extra__: dict[str, ExtraAnswer]

    full_name: str | None = _answer()
    work_email: str | None = _answer(description="One of your confirmed addresses")
    org_name: str | None = _answer()
    org_type: str | None = _answer(examples=["university"])
    position: str | None = _answer(examples=["doctoral"])
    country: str | None = _answer(description="ISO 3166-1 alpha-2", examples=["DE"])
    profile_url: str | None = _answer()
    title: str | None = _answer()
    abstract: str | None = _answer(description="150 to 5,000 characters")
    commercial: str | None = _answer(description="yes or no")
    commercial_detail: str | None = _answer()
    storage_plan: str | None = _answer(description="80 to 3,000 characters")
    noncommercial: bool | None = None


class AnswersSaved(Hearing):
    """All answers anew; `seen_version` is the version that was read before."""

    answers: Answers
    seen_version: int = Field(ge=0, le=2**31 - 1)


class Submission(Hearing):
    """The licence accepted by the hash of the text that was read."""

    licence_accept: bool
    licence_sha256: str = Field(max_length=64)
    seen_version: int = Field(ge=0, le=2**31 - 1)


class Acceptance(Hearing):
    """A tier's licence, accepted by the hash of the text that was read."""

    tier: str = Field(max_length=50, examples=["opt-175b"])
    licence_accept: Literal[True]
    licence_sha256: str = Field(max_length=64, description="`text_sha256` of a checkpoint's terms")


class Withdrawal(Hearing):
    reason: str = Field("", max_length=500)


class ApplicationTold(Schema):
    id: UUID
    reference: str
    tier: str
    status: str
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    answer_expected_by: date | None
    url: str


class ReasonTold(Schema):
    code: str
    label: str
    remedy: str


class DecisionTold(Schema):
    """A reviewer's answer; `verdict` is approve, reject or return."""

    verdict: str
    at: datetime
    reasons: list[ReasonTold]
    note: str


class QuestionTold(Schema):
    """A tier's own question. `shown_if` is the key and the value of the answer it waits for;
    one of kind `file` is answered by a document."""

    key: str
    label: str
    help: str
    kind: str
    required: bool
    choices: list[str]
    shown_if: tuple[str, str] | None

    @classmethod
    def of(cls, extra: Extra) -> "QuestionTold":
        return cls(
            key=extra.key,
            label=extra.label,
            help=extra.help_text,
            kind=extra.kind,
            required=extra.required,
            choices=list(extra.choices),
            shown_if=(extra.if_key, extra.if_value) if extra.if_key else None,
        )


class DocumentTold(Schema):
    """A PDF sent as an answer."""

    id: UUID
    question: str
    name: str
    size: int
    sha256: str
    uploaded_at: datetime

    @classmethod
    def of(cls, attachment: Attachment) -> "DocumentTold":
        return cls(
            id=attachment.public_id,
            question=attachment.question,
            name=attachment.name,
            size=attachment.size,
            sha256=attachment.sha256,
            uploaded_at=attachment.uploaded_at,
        )


class RemarkTold(Schema):
    """What a reviewer says about one field, or about the whole (`field` is empty)."""

    number: int
    field: str
    text: str
    at: datetime
    answer: str
    answered_at: datetime | None

    @classmethod
    def of(cls, remark: Remark) -> "RemarkTold":
        return cls(
            number=remark.pk,
            field=remark.field,
            text=remark.text,
            at=remark.created_at,
            answer=remark.answer,
            answered_at=remark.answered_at,
        )


class RemarkAnswered(Hearing):
    answer: str = Field(max_length=2000)


class EventTold(Schema):
    at: datetime
    text: str
    note: str


class ApplicationDetail(ApplicationTold):
    """`open_points` is what still keeps it from being submitted; `moves` what can be done now."""

    version: int
    answers: dict[str, Any]
    questions: list[QuestionTold]
    questions_outdated: bool = Field(description="The tier asks others by now; see adopt")
    documents: list[DocumentTold]
    remarks: list[RemarkTold]
    open_points: list[FieldFault]
    moves: list[str]
    terms: LicenceTold
    decisions: list[DecisionTold]
    events: list[EventTold]
