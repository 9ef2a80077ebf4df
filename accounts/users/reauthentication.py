"""How long ago the person of a session showed who they are, and what asks for it anew.

A browser left open, or a stolen cookie, must not be enough to give rights away: the admin ends
twelve hours after the sign-in, and what makes or ends rights wants a password, a passkey or a
code that was shown lately. The times stand in the session, which only the portal writes.
"""

import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.signals import user_logged_in
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseRedirect

#: How long a session opens the admin.
STAFF_SESSION = timedelta(hours=12)
#: Before grants, roles and accounts are changed.
LATELY = timedelta(minutes=15)
#: Before an application is approved: reviewers decide many in a row.
THIS_SITTING = timedelta(hours=2)

_KEY = "signed_in_at"


@receiver(user_logged_in)
def note(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    """Remember the time of a sign-in."""
    if request is not None and hasattr(request, "session"):
        request.session[_KEY] = time.time()


def opens_the_admin(request: HttpRequest) -> bool:
    """Whether the sign-in of this session is recent enough for the admin."""
    return _age(request.session.get(_KEY, 0)) < STAFF_SESSION


def demand(
    request: HttpRequest, *, within: timedelta = LATELY, keep_what_was_sent: bool = True
) -> None:
    """Ask for password, passkey or code where none was shown within this time.

    Raises what allauth's middleware answers with the page that asks. What was sent waits in
    the session meanwhile, unless it may hold a password; then the page is only opened again.
    Raises PermissionDenied for a person who has nothing to show.
    """
    if _age(_last_shown(request)) < within:
        return
    ways = get_adapter().get_reauthentication_methods(request.user)
    if not ways:
        raise PermissionDenied("set a password or a second factor first")
    if keep_what_was_sent:
        raise ReauthenticationRequired
    where = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
    raise ImmediateHttpResponse(HttpResponseRedirect(f"{ways[0]['url']}?{where}"))


def _last_shown(request: HttpRequest) -> float:
    """When the person signed in, or was last asked since then."""
    signed_in: float = request.session.get(_KEY, 0)
    shown = get_authentication_records(request, request.user)
    times: list[float] = [record["at"] for record in shown]
    return max(signed_in, *times, 0.0)


def _age(moment: float) -> timedelta:
    return timedelta(seconds=time.time() - moment)
