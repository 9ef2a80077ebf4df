"""Download plans, links, decisions of the gate, and files by hash."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone
from ninja import Schema
from pydantic import Field

from weights.api.schemas.common import RequestBody
from weights.api.schemas.problems import NextStepOut
from weights.api.schemas.tiers import LicenceOut, TierOut
from weights.delivery.models import CheckpointLink


class PlannedFileOut(Schema):
    """A file to download; `url` is null for a file that is not served, and `code` says why."""

    path: str
    size: int
    sha256: str
    url: str | None
    expires: datetime | None
    code: str | None = None


class PlanOut(Schema):
    """All files of a revision; `seconds` is the download time at `rate`, rounded up."""

    repo: str
    revision: str
    count: int
    bytes: int
    rate: int | None
    seconds: int | None
    files: list[PlannedFileOut]


class FileLinkIn(RequestBody):
    repo: str = Field(max_length=200, examples=["weighbridge/demo-open"])
    revision: str = Field("main", max_length=300)
    path: str = Field(max_length=1024, examples=["config.json"])
    seconds: int | None = Field(
        None, description="Lifetime, 1 to the tier's limit; by file size if omitted"
    )


class FileLinkOut(Schema):
    url: str
    expires: datetime


class LinkIn(RequestBody):
    repo: str = Field(max_length=200, examples=["weighbridge/demo-gated"])


class LinkOut(Schema):
    """A checkpoint link. Its URL is sent once, by mail, and stored nowhere.

    `state` is queued, issued or failed; `reason` explains a failure.
    """

    id: UUID = Field(validation_alias="public_id")
    repo: str = Field(validation_alias="checkpoint.repo_id")
    revision: str | None
    state: str
    reason: str = Field(validation_alias="state_reason")
    cause: str
    live: bool
    created_at: datetime
    issued_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None

    @staticmethod
    def resolve_revision(link: CheckpointLink) -> str | None:
        return link.revision.sha if link.revision else None

    @staticmethod
    def resolve_live(link: CheckpointLink) -> bool:
        issued = link.state == CheckpointLink.State.ISSUED and link.revoked_at is None
        issued = issued and link.credential_holds
        return issued and link.expires_at is not None and link.expires_at > timezone.now()


class GateDecisionOut(Schema):
    """The gate's decision; `status` is that of the refusal, 200 if allowed."""

    allowed: bool
    status: int
    code: str | None
    message: str
    next_step: NextStepOut | None
    repo: str
    revision: str | None
    path: str | None
    sha256: str | None
    size: int | None
    grant: UUID | None


class FilePlaceOut(Schema):
    """One occurrence of a file, with its terms."""

    repo: str
    revision: str
    refs: list[str]
    path: str
    tier: TierOut
    terms: LicenceOut | None
    url: str


class KnownFileOut(Schema):
    """A published file; `state` is verified, or quarantined if the file must not be used."""

    sha256: str
    size: int
    state: str
    total: int = Field(description="Number of all places, of which at most 100 are listed")
    places: list[FilePlaceOut]
