"""Revokes leaked tokens and notifies their owners."""

from collections.abc import Iterable

from django.db import transaction

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken
from accounts.mail import outbox


def revoke(texts: Iterable[str]) -> int:
    """Revoke the tokens among these strings. Returns the number of revoked tokens.

    Idempotent. Requires no authorisation, because anybody who has a token may revoke it.
    """
    digests = {token_format.digest(text) for text in texts if token_format.is_well_formed(text)}
    live = ApiToken.objects.filter(digest__in=digests, revoked_at=None).select_related("user")
    return sum(_revoke(token) for token in live.order_by("pk"))


@transaction.atomic
def _revoke(token: ApiToken) -> bool:
    revoked = token.revoke(by=None, cause="leaked")
    if revoked:
        notify_owner(token)
    return revoked


def notify_owner(token: ApiToken) -> None:
    """Mail the owner of a leaked token that it is revoked."""
    outbox.send(
        "token_leaked",
        key=str(token.public_id),
        recipient=token.user,
        about=token,
        context={"token": token},
    )
