"""Plans, links, the gate's answer and where a file is from."""

from datetime import datetime
from uuid import UUID

from ninja import Schema
from pydantic import Field

from weights.api.schemas.common import Hearing
from weights.api.schemas.problems import NextStep
from weights.api.schemas.terms import LicenceTold, TierTold
from weights.delivery.models import CheckpointLink


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
