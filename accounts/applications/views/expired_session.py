"""Stores forms posted after the session expired until the user has signed in again."""

import json

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware

from accounts.applications.views import autosave
from accounts.audit import request_context
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit

_KEY = "interrupted"
#: Maximum bytes of one form; a step of an application is far smaller.
_MAX_BYTES = 64 * 1024
#: Requests per network address and hour, because storing needs no sign-in.
_PER_NETWORK = Limit("interrupted", 30, 3600)


def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Store the posted form and redirect to the sign-in page; return 401 to scripts."""
    if autosave.is_autosave(request):
        return autosave.signed_out()
    if request.method == "POST":
        _store(request)
    return redirect_to_login(request.get_full_path())


def _store(request: HttpRequest) -> None:
    data = request.POST.copy()
    data.pop("csrfmiddlewaretoken", None)
    text = data.urlencode()
    network = request_context.current().network
    if len(text) <= _MAX_BYTES and buckets.take(_PER_NETWORK, network).allowed:
        request.session[_KEY] = json.dumps([request.path, text])


def csrf_failure(request: HttpRequest) -> HttpResponse | None:
    """Return the response to a request that fails the CSRF check, otherwise None.

    The page was opened before the user signed in again, or belongs to another site; its data must
    not be saved.
    """
    response = CsrfViewMiddleware(sign_in_again).process_view(request, sign_in_again, (), {})
    assert response is None or isinstance(response, HttpResponse)
    return response


def pop_stored(request: HttpRequest) -> QueryDict | None:
    """Return the form that was stored for this page, and remove it from the session."""
    stored = request.session.get(_KEY)
    if not stored:
        return None
    path, text = json.loads(stored)
    if path != request.path:
        return None
    del request.session[_KEY]
    return QueryDict(text)
