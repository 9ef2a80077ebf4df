"""Re-authentication: the age of a session's last authentication, and the limits on it.

An unattended browser or a stolen cookie must not be enough to grant rights. The admin ends twelve
hours after the sign-in, and changes of rights require a recent password, passkey or code. The
times are stored in the session, which only the portal writes.
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

#: Age of the sign-in up to which a session may use the admin.
STAFF_SESSION = timedelta(hours=12)
#: Age of the authentication up to which grants, roles and accounts may be changed.
RECENT = timedelta(minutes=15)
#: The same for approvals: longer, because reviewers decide many in a row.
RECENT_FOR_APPROVAL = timedelta(hours=2)

_KEY = "signed_in_at"


@receiver(user_logged_in)
def store_sign_in_time(sender: Any, request: HttpRequest | None, **kwargs: Any) -> None:
    if request is not None and hasattr(request, "session"):
        request.session[_KEY] = time.time()


def may_use_admin(request: HttpRequest) -> bool:
    """True if the sign-in of this session is recent enough for the admin."""
    return _age(request.session.get(_KEY, 0)) < STAFF_SESSION


def require_recent(
    request: HttpRequest, *, within: timedelta = RECENT, store_post: bool = True
) -> None:
    """Require a password, passkey or code entered `within` this time.

    Otherwise raises an exception that allauth's middleware turns into a redirect to the
    re-authentication page. `store_post` keeps the POST data in the session and resumes the request
    afterwards; pass False if the data may contain a password. Raises PermissionDenied for a user
    without any method of authentication.
    """
    if _age(_authenticated_at(request)) < within:
        return
    methods = get_adapter().get_reauthentication_methods(request.user)
    if not methods:
        raise PermissionDenied("set a password or a second factor first")
    if store_post:
        raise ReauthenticationRequired
    query = urlencode({REDIRECT_FIELD_NAME: request.get_full_path()})
    raise ImmediateHttpResponse(HttpResponseRedirect(f"{methods[0]['url']}?{query}"))


def _authenticated_at(request: HttpRequest) -> float:
    """Return the Unix time of the sign-in or of the last re-authentication since."""
    signed_in: float = request.session.get(_KEY, 0)
    records = get_authentication_records(request, request.user)
    return max([signed_in, *(float(record["at"]) for record in records)])


def _age(timestamp: float) -> timedelta:
    return timedelta(seconds=time.time() - timestamp)
