"""Who asks, and by which credential. Reading a credential is not yet a right to anything."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken
from accounts.audit import request_context

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.users.models import User
    from weights.delivery.models import CheckpointLink

_BEARER = re.compile(r"Bearer ([\x21-\x7e]+)")


class Refusal(StrEnum):
    """Why the gate says no; stable codes (docs/clients.md#what-a-refusal-means)."""

    LOGIN_REQUIRED = "login_required"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a code, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    TOKEN_SCOPE = "token_scope"  # noqa: S105
    NO_APPLICATION = "no_application"
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    REJECTED = "rejected"
    LICENCE_OUTDATED = "licence_outdated"
    GRANT_EXPIRED = "grant_expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    QUOTA = "quota"
    EMBARGOED = "embargoed"
    FILE_UNVERIFIED = "file_unverified"
    FILE_QUARANTINED = "file_quarantined"
    LINK_EXPIRED = "link_expired"
    LINK_REVOKED = "link_revoked"
    NOT_PUBLISHED = "not_published"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True)
class Caller:
    """A person (or nobody) and the credential shown.

    `problem` is set when a credential was sent and is not valid: nothing opens then, not
    even an open checkpoint. `grant_id` is the grant that a signed link was made for.
    """

    user: "User | None" = None
    kind: str = "anonymous"
    credential_id: str = ""
    token: ApiToken | None = field(default=None, compare=False)
    link: "CheckpointLink | None" = field(default=None, compare=False)
    grant_id: int | None = None
    problem: Refusal | None = None

    @property
    def is_known(self) -> bool:
        """Whether there is a person or a link behind the request."""
        return self.kind != "anonymous" and self.problem is None

    @property
    def credential(self) -> tuple[str, str]:
        return self.kind, self.credential_id


ANONYMOUS = Caller()


def session_caller(user: "User | None") -> Caller:
    """The person signed in with a browser; ANONYMOUS for nobody."""
    if user is None or not user.is_authenticated or not user.is_active:
        return ANONYMOUS
    return Caller(user=user, kind="session")


@dataclass(frozen=True)
class TokenClaim:
    """A well-formed token that nobody has looked up yet; the gate does it with the rest."""

    digest: str


def token_claim(authorization: str | None) -> Caller | TokenClaim:
    """What an `Authorization` header claims; ANONYMOUS when none was sent.

    Only one `Bearer` header of the exact form is read (docs/requirements.md, TK-6). Anything else
    and slips in typing, which the checksum shows, are TOKEN_INVALID and cost no query.
    """
    if authorization is None:
        return ANONYMOUS
    found = _BEARER.fullmatch(authorization)
    if found is None or not token_format.is_well_formed(found[1]):
        return Caller(kind="token", problem=Refusal.TOKEN_INVALID)
    return TokenClaim(token_format.digest(found[1]))


def token_caller(authorization: str | None) -> Caller:
    """Who an `Authorization` header names; ANONYMOUS when none was sent.

    A malformed, unknown or revoked token, and one whose owner is gone, is TOKEN_INVALID.
    """
    claim = token_claim(authorization)
    return look_up(claim, timezone.now()) if isinstance(claim, TokenClaim) else claim


def look_up(claim: TokenClaim, now: "datetime") -> Caller:
    """Who holds the token, noting that it was used; a caller with a problem if nobody does."""
    token = ApiToken.objects.select_related("user").filter(digest=claim.digest).first()
    if token is None or token.revoked_at is not None or not token.user.is_active:
        return Caller(kind="token", problem=Refusal.TOKEN_INVALID)
    if token.expires_at <= now:
        return Caller(kind="token", problem=Refusal.TOKEN_EXPIRED)
    request_context.note_proved()
    token.record_use(now, request_context.current().network)
    return Caller(user=token.user, kind="token", credential_id=str(token.public_id), token=token)


def note_use(token_id: int, used_before: bool, now: "datetime") -> None:
    """Remember when and from which network a token was used."""
    network = request_context.current().network
    if used_before:
        ApiToken.objects.record_later_use(token_id, now, network)
    else:
        ApiToken.objects.select_related("user").get(pk=token_id).record_use(now, network)
