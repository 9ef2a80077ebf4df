"""Grants, licence acceptance, and the links that outlive a grant."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from ninja import Schema
from pydantic import Field

from accounts.grants.models import Grant
from weights.api.schemas.common import RequestBody
from weights.api.schemas.tiers import TierOut


class GrantOut(Schema):
    """A right to a tier; a `live` grant opens it while its licence is not outdated."""

    id: UUID
    tier: TierOut
    state: str
    live: bool
    licence_outdated: bool
    starts_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    suspended_until: datetime | None = Field(description="When a suspension ends automatically")
    reason: str = Field(description="Why it is suspended or was revoked")
    origin: str
    licence: str = Field(description="The licence that was accepted, and its version")
    licence_version: str

    @classmethod
    def of(cls, grant: Grant, *, outdated: bool) -> "GrantOut":
        return cls(
            id=grant.public_id,
            tier=TierOut.from_orm(grant.tier),
            state=grant.state,
            live=grant.is_live,
            licence_outdated=outdated,
            starts_at=grant.starts_at,
            expires_at=grant.expires_at,
            ended_at=grant.ended_at,
            suspended_until=grant.suspended_until,
            reason=grant.suspension_reason if grant.is_suspended else grant.end_reason,
            origin=grant.origin,
            licence=grant.licence_version.licence.slug,
            licence_version=grant.licence_version.version,
        )


class OutstandingUrlOut(Schema):
    """A presigned URL of a file in the store, which works until `ends_at`."""

    name: str
    ends_at: datetime


class ReceiptOut(Schema):
    """The URLs that still work after a grant was closed `at`; all of them end by `bound`."""

    at: datetime
    bound: datetime
    alive: list[OutstandingUrlOut]


class LicenceAcceptanceIn(RequestBody):
    """A tier whose licence is accepted, with the hash of the text that was read."""

    tier: str = Field(max_length=50, examples=["opt-175b"])
    licence_accept: Literal[True]
    licence_sha256: str = Field(max_length=64, description="`text_sha256` of a checkpoint's terms")
