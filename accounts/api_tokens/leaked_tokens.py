"""Tokens that were found where others can read them: revoked, and their owners told."""

from collections.abc import Iterable

from django.db import transaction

from accounts.api_tokens import token_format
from accounts.api_tokens.models import ApiToken
from accounts.mail import messages


def revoke(found: Iterable[str]) -> int:
    """Revoke those of these texts that are tokens in use; how many there were.

    Whoever holds a token may end it, so nobody is asked who they are. Twice changes nothing.
    """
    digests = {token_format.digest(text) for text in found if token_format.is_well_formed(text)}
    live = ApiToken.objects.filter(digest__in=digests, revoked_at=None).select_related("user")
    return sum(_revoke(token) for token in live.order_by("pk"))


@transaction.atomic
def _revoke(token: ApiToken) -> bool:
    revoked = token.revoke(by=None, cause="leaked")
    if revoked:
        messages.token_leaked(token)
    return revoked
