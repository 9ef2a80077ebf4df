"""Who calls the Hub API: a bearer token everywhere, a browser session for files only."""

from django.conf import settings
from django.http import HttpRequest

from weights.gate.caller import Caller, TokenClaim, session_caller, token_caller, token_claim


def by_token(request: HttpRequest) -> Caller:
    return token_caller(request.META.get("HTTP_AUTHORIZATION"))


def claim(request: HttpRequest) -> Caller | TokenClaim:
    """The token that is sent, for the gate to look up."""
    return token_claim(request.META.get("HTTP_AUTHORIZATION"))


def claim_or_session(request: HttpRequest) -> Caller | TokenClaim:
    """A token where one is sent, for the gate to look up; else the browser's person.

    The session is not touched without its cookie: loading it costs more than the answer.
    """
    authorization = request.META.get("HTTP_AUTHORIZATION")
    if authorization is None and settings.SESSION_COOKIE_NAME in request.COOKIES:
        return session_caller(request.user if request.user.is_authenticated else None)
    return token_claim(authorization)
