"""Grants and applications: what is told of them, and what is sent."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from accounts.applications.custom_questions import Extra
from accounts.applications.documents.models import Attachment
from accounts.applications.questions import ORG_TYPES, POSITIONS
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Receipt
from accounts.review.models import Remark
from weights.api.schemas.common import Hearing
from weights.api.schemas.problems import FieldFault
from weights.api.schemas.terms import LicenceTold, TierTold


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
    licence: str = Field(description="The licence that was accepted, and its version")
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
            licence=grant.licence_version.licence.slug,
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
    org_type: str | None = _answer(
        description=f"One of {', '.join(ORG_TYPES)}", examples=["university"]
    )
    position: str | None = _answer(
        description=f"One of {', '.join(POSITIONS)}", examples=["doctoral"]
    )
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
