"""Re-authentication of a session: the age of its last authentication, and the page that renews it.

Access to the admin ends twelve hours after the sign-in. recent_authentication.py has the rule for
acts that require a more recent password, passkey or code. The session stores the times; only the
portal writes it.
"""

import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import STATE_SESSION_KEY
from allauth.core.internal.httpkit import serialize_request
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from accounts.errors import RecentAuthenticationRequired
from accounts.web.error_pages import error_page

#: Maximum age of the sign-in for using the admin.
STAFF_SESSION = timedelta(hours=12)

_KEY = "signed_in_at"
_NO_METHOD = (
    "This requires a recent sign-in, and your account has no password, passkey or code to confirm "
    "it with. Sign out, sign in again, and do it within 15 minutes."
)


@receiver(user_logged_in)
def store_sign_in_time(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        request.session[_KEY] = time.time()


def may_use_admin(request: HttpRequest) -> bool:
    """True if this session's sign-in is recent enough for the admin."""
    return _since(request.session.get(_KEY, 0)) < STAFF_SESSION


def age(request: HttpRequest) -> timedelta:
    """Return the time since this session's sign-in or last re-authentication."""
    if not request.user.is_authenticated:
        return timedelta.max
    signed_in: float = request.session.get(_KEY, 0)
    records = get_authentication_records(request, request.user)
    return _since(max([signed_in, *(float(record["at"]) for record in records)]))


def page_for(request: HttpRequest, error: RecentAuthenticationRequired) -> HttpResponse:
    """Redirect to the re-authentication page, which then resumes the request.

    The session stores the POST data until then, unless it contains a password: such a form must be
    filled in again. Returns 403 for a user without a password, passkey or code.
    """
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        return error_page(request, 403, code=error.code, message=_NO_METHOD)
    next_page = request.get_full_path()
    if request.method == "POST" and not _holds_password(request):
        next_page = request.path  # allauth resumes only a request for exactly this path
        request.session[STATE_SESSION_KEY] = {"request": serialize_request(request)}
    query = urlencode({REDIRECT_FIELD_NAME: next_page})
    return HttpResponseRedirect(f"{methods[0]['url']}?{query}")


def _holds_password(request: HttpRequest) -> bool:
    return any("password" in name.lower() for name in request.POST)


def _since(timestamp: float) -> timedelta:
    return timedelta(seconds=time.time() - timestamp)
