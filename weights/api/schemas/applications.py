"""Applications: request bodies, and the application with its form and history."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from accounts.applications.custom_questions import CustomQuestion
from accounts.applications.questions import ORG_TYPES, POSITIONS
from weights.api.schemas.common import AliasedSchema, RequestBody
from weights.api.schemas.problems import FieldErrorOut
from weights.api.schemas.tiers import LicenceOut


class ApplicationIn(RequestBody):
    tier: str = Field(max_length=50, examples=["opt-175b"])


def _answer(**options: Any) -> Any:
    return Field(None, max_length=20_000, **options)


#: The answer to a custom question: text, a tick, a number, or a list.
ExtraAnswer = str | bool | int | float | list[str] | list[dict[str, Any]]


class Answers(BaseModel):
    """Answers by question: the questions of every application, and by key those that the
    application lists under `questions`. A draft may leave any of them out."""

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


class AnswersIn(RequestBody):
    """All answers, replacing the saved ones; `seen_version` is the version they are based on."""

    answers: Answers
    seen_version: int = Field(ge=0, le=2**31 - 1)


class SubmissionIn(RequestBody):
    """The accepted licence, with the hash of the text that was read."""

    licence_accept: bool
    licence_sha256: str = Field(max_length=64)
    seen_version: int = Field(ge=0, le=2**31 - 1)


class WithdrawalIn(RequestBody):
    reason: str = Field("", max_length=500)


class AppealIn(RequestBody):
    text: str = Field(max_length=10_000, description="100 to 3,000 characters after trimming")


class ApplicationOut(Schema):
    """`kind` is new, reopened (by staff) or appeal; `predecessor` is what it continues."""

    id: UUID
    reference: str
    kind: str
    predecessor: UUID | None
    tier: str
    status: str
    created_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None
    answer_expected_by: date | None
    url: str


class ReasonOut(Schema):
    code: str
    label: str
    remedy: str


class DecisionOut(Schema):
    """A reviewer's decision; `verdict` is approve, reject or return."""

    verdict: str
    at: datetime
    reasons: list[ReasonOut]
    note: str


class QuestionOut(Schema):
    """A custom question of a tier. `shown_if` is another question's key and the answer that makes
    this one apply; a question of kind `file` is answered by a document."""

    key: str
    label: str
    help: str
    kind: str
    required: bool
    choices: list[str]
    shown_if: tuple[str, str] | None

    @classmethod
    def of(cls, question: CustomQuestion) -> "QuestionOut":
        return cls(
            key=question.key,
            label=question.label,
            help=question.help_text,
            kind=question.kind,
            required=question.required,
            choices=list(question.choices),
            shown_if=(question.condition_key, question.condition_value)
            if question.condition_key
            else None,
        )


class DocumentOut(AliasedSchema):
    """A PDF sent as an answer."""

    id: UUID = Field(validation_alias="public_id")
    question: str
    name: str
    size: int
    sha256: str
    uploaded_at: datetime


class RemarkOut(AliasedSchema):
    """A reviewer's remark on one field, or on the whole application if `field` is empty."""

    number: int = Field(validation_alias="pk")
    field: str
    text: str
    at: datetime = Field(validation_alias="created_at")
    answer: str
    answered_at: datetime | None


class RemarkAnswerIn(RequestBody):
    answer: str = Field(max_length=2000)


class EventOut(Schema):
    at: datetime
    text: str
    note: str


class ApplicationDetail(ApplicationOut):
    """`open_points` are the errors that prevent submission; `moves` are the possible actions."""

    version: int
    answers: dict[str, Any]
    questions: list[QuestionOut]
    questions_outdated: bool = Field(
        description="Whether the tier's questions have changed; see adopt"
    )
    documents: list[DocumentOut]
    remarks: list[RemarkOut]
    open_points: list[FieldErrorOut]
    moves: list[str]
    appeal_text: str
    appeal_until: datetime | None = Field(description="null if it cannot be appealed")
    reapply_from: datetime | None = Field(description="null if there is no waiting period")
    terms: LicenceOut
    decisions: list[DecisionOut]
    events: list[EventOut]
