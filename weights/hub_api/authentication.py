"""Authentication of Hub API requests: a bearer token everywhere, a session for files only."""

from django.conf import settings
from django.http import HttpRequest

from weights.gate.caller import Caller, TokenClaim, session_caller, token_caller, token_claim


def bearer_caller(request: HttpRequest) -> Caller:
    """The owner of the request's token, looked up at once."""
    return token_caller(request.META.get("HTTP_AUTHORIZATION"))


def bearer_claim(request: HttpRequest) -> Caller | TokenClaim:
    """The request's token, unverified: the gate looks it up in the statement that decides."""
    return token_claim(request.META.get("HTTP_AUTHORIZATION"))


def bearer_claim_or_session(request: HttpRequest) -> Caller | TokenClaim:
    """The request's unverified token if it carries one, else the user of its session.

    Requests without a session cookie never load the session: that costs more than the response.
    """
    authorization = request.META.get("HTTP_AUTHORIZATION")
    if authorization is None and settings.SESSION_COOKIE_NAME in request.COOKIES:
        return session_caller(request.user if request.user.is_authenticated else None)
    return token_claim(authorization)
