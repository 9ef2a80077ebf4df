"""Recent authentication: the condition for acts that open access or change credentials.

A stolen cookie or token, or an unattended browser, must not be enough for such an act. Services
call `require`, so the rule applies to pages and APIs. Middleware
(portal/middleware/reauthentication.py) and the lookup of a token (weights/gate/caller.py) set the
credential of the current request. Commands and tasks run outside any request and are exempt:
their caller controls the server.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta

from django.conf import settings
from django.urls import reverse

from accounts.errors import RecentAuthenticationRequired

#: Maximum age of the authentication for changing credentials, grants, roles and gates.
RECENT = timedelta(minutes=15)
#: Maximum age for approvals: longer, because reviewers decide many in a row.
RECENT_FOR_APPROVAL = timedelta(hours=2)

#: Returns the age of the caller's last authentication; called only by acts that require it.
Age = Callable[[], timedelta]

_age: ContextVar[Age | None] = ContextVar("age_of_authentication", default=None)
_by_token: ContextVar[bool] = ContextVar("authenticated_by_token", default=False)


def _never() -> timedelta:
    return timedelta.max


@contextmanager
def in_request(age: Age = _never) -> Iterator[None]:
    """Apply the rule to a request; by default its authentication is never recent."""
    age_token, by_token = _age.set(age), _by_token.set(False)
    try:
        yield
    finally:
        _age.reset(age_token)
        _by_token.reset(by_token)


def use_token(*, made_recently_authenticated: bool) -> None:
    """Judge the rest of the request by its API token, even if it also has a session.

    A token counts as recent if it was created with a recent authentication. Does nothing outside a
    request.
    """
    if _age.get() is not None:
        _by_token.set(True)
        _age.set(timedelta if made_recently_authenticated else _never)


def is_recent(*, within: timedelta = RECENT) -> bool:
    """True outside any request, or if the caller authenticated less than `within` ago."""
    age = _age.get()
    return age is None or age() < within


def require(*, within: timedelta = RECENT) -> None:
    """Raise RecentAuthenticationRequired unless `is_recent`. Services call it before writing."""
    if is_recent(within=within):
        return
    if _by_token.get():
        raise _token_refusal()
    minutes = round(within.total_seconds() / 60)
    raise RecentAuthenticationRequired(
        "enter your password, passkey or code first; the last entry must be less than "
        f"{minutes} minutes old"
    )


def require_token(made_recently_authenticated: bool) -> None:
    """Raise RecentAuthenticationRequired unless the token may use the scopes write and admin."""
    if not made_recently_authenticated:
        raise _token_refusal()


def _token_refusal() -> RecentAuthenticationRequired:
    page = settings.PUBLIC_URL + reverse("accounts:token-list")
    return RecentAuthenticationRequired(
        "this token was made without a recent sign-in, so its scopes write and admin have no"
        f" effect; make a new one at {page} and revoke this one"
    )
