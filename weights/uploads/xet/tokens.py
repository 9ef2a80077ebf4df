"""Tokens of the Xet protocol: short-lived, for one API token and one checkpoint."""

import time
from typing import NamedTuple

from django.core import signing
from django.http import HttpRequest
from django.utils import timezone

from weights.catalogue.models import Checkpoint
from weights.gate import caller as callers
from weights.gate.caller import Caller, TokenClaim
from weights.gate.refusals import Refusal

#: Seconds for which a token is valid; clients then request a new one.
LIFETIME = 900
_SALT = "weights.uploads.xet.token"


class XetToken(NamedTuple):
    """The digest of the API token, which is looked up again at each request, and a checkpoint."""

    digest: str
    checkpoint_id: int


def issue(api_token_digest: str, checkpoint: Checkpoint) -> tuple[str, int]:
    """Returns a token and the Unix time at which it expires."""
    text = signing.dumps([api_token_digest, checkpoint.pk], salt=_SALT)
    return text, int(time.time()) + LIFETIME


def read(request: HttpRequest) -> XetToken | None:
    """The token in the request's `Authorization` header, if it is valid and has not expired."""
    scheme, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != "Bearer":
        return None
    try:
        return XetToken(*signing.loads(text, salt=_SALT, max_age=LIFETIME))
    except signing.BadSignature:
        return None


def caller_of(request: HttpRequest) -> Caller:
    """The owner of the API token behind the request's token, by its current state."""
    token = read(request)
    if token is None:
        return Caller(kind="token", problem=Refusal.TOKEN_EXPIRED)
    return callers.look_up(TokenClaim(token.digest), timezone.now())


def checkpoint_of(request: HttpRequest) -> Checkpoint | None:
    """The checkpoint of the request's token, even after a rename."""
    token = read(request)
    return token and Checkpoint.objects.filter(pk=token.checkpoint_id).first()


def endpoint_name(api_token_digest: str, checkpoint: Checkpoint, now: float) -> str:
    """16 hex digits for the upload address, different for each checkpoint, token and hour.

    Clients cache which xorbs an address has, and refer to them instead of sending them again. The
    portal deletes xorbs soon, and keeps them separately for each person and checkpoint.
    """
    scope = f"{api_token_digest}.{checkpoint.pk}.{int(now // 3600)}"
    return signing.Signer(salt=f"{_SALT}.endpoint").signature(scope)[:16]
