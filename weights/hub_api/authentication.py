"""Who calls the Hub API: a bearer token everywhere, a browser session for files only."""

from django.conf import settings
from django.http import HttpRequest

from weights.caller import Caller, session_caller, token_caller


def by_token(request: HttpRequest) -> Caller:
    return token_caller(request.headers.get("Authorization"))


def by_token_or_session(request: HttpRequest) -> Caller:
    """A token where one is sent, else the person signed in with this browser.

    The session is not touched without its cookie: loading it costs more than the answer.
    """
    if "Authorization" in request.headers or settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return by_token(request)
    return session_caller(request.user if request.user.is_authenticated else None)
