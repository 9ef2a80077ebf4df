"""The caller of a request: a person or none, and the credential that was sent."""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken
from accounts.audit import request_context
from accounts.users import recent_authentication
from weights.gate import rules
from weights.gate.facts import Facts
from weights.gate.refusals import Refusal

if TYPE_CHECKING:
    from accounts.users.models import User
    from weights.delivery.models import CheckpointLink

_BEARER = re.compile(r"Bearer ([\x21-\x7e]+)")


@dataclass(frozen=True)
class Caller:
    """A person (or nobody) and the credential that was sent.

    `problem` is set if the credential is invalid; then even open checkpoints are refused.
    `grant_id` is the grant that a signed link was issued for.
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
        """True if the request identifies a person or a link."""
        return self.kind != "anonymous" and self.problem is None

    @property
    def credential(self) -> tuple[str, str]:
        return self.kind, self.credential_id


ANONYMOUS = Caller()


def session_caller(user: "User | None") -> Caller:
    """The person signed in with a browser, or ANONYMOUS."""
    if user is None or not user.is_authenticated or not user.is_active:
        return ANONYMOUS
    return Caller(user=user, kind="session")


@dataclass(frozen=True)
class TokenClaim:
    """A well-formed token that the gate's statement has yet to look up."""

    digest: str


def token_claim(authorization: str | None) -> Caller | TokenClaim:
    """The claim in an `Authorization` header, or ANONYMOUS without one.

    Only a well-formed `Bearer` header is accepted. Any other form, and a typing error that the
    checksum reveals, is TOKEN_INVALID and costs no query. A token of huggingface.co is
    HUGGING_FACE_TOKEN.
    """
    if authorization is None:
        return ANONYMOUS
    found = _BEARER.fullmatch(authorization)
    if found is not None and token_format.is_of_hugging_face(found[1]):
        return Caller(kind="token", problem=Refusal.HUGGING_FACE_TOKEN)
    if found is None or not token_format.is_well_formed(found[1]):
        return Caller(kind="token", problem=Refusal.TOKEN_INVALID)
    return TokenClaim(token_format.digest(found[1]))


def token_caller(authorization: str | None) -> Caller:
    """The holder of the token in an `Authorization` header, or ANONYMOUS without one.

    A malformed, unknown or revoked token, and one with an inactive owner, is TOKEN_INVALID.
    """
    claim = token_claim(authorization)
    return look_up(claim, timezone.now()) if isinstance(claim, TokenClaim) else claim


def look_up(claim: TokenClaim, now: datetime) -> Caller:
    """The holder of the token, whose use is recorded; a caller with a problem if it is invalid."""
    token = ApiToken.objects.select_related("user").filter(digest=claim.digest).first()
    facts = Facts()
    if token is not None:
        facts = Facts(
            by_token=True,
            token_expires=token.expires_at,
            token_revoked=token.revoked_at is not None,
            user_active=token.user.is_active,
        )
    problem = rules.credential(facts, now)
    if token is None or problem is not None:
        return Caller(kind="token", problem=Refusal(problem or Refusal.TOKEN_INVALID))
    request_context.mark_authenticated()
    recent_authentication.use_token(made_recently_authenticated=token.recently_authenticated)
    token.record_use(now, request_context.current().network)
    return holder_of(token)


def holder_of(token: ApiToken) -> Caller:
    """The caller behind a valid token."""
    return Caller(user=token.user, kind="token", credential_id=str(token.public_id), token=token)


def note_use(token_id: int, last_used: datetime | None, now: datetime) -> None:
    """Record when and from which network a valid token was used, at most once a minute."""
    request_context.mark_authenticated()
    network = request_context.current().network
    if last_used is None:
        ApiToken.objects.select_related("user").get(pk=token_id).record_use(now, network)
    elif last_used <= now - timedelta(minutes=1):
        ApiToken.objects.record_later_use(token_id, now, network)
