"""Text sent after the session ended: stored until its author has signed in again."""

import json

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware

from accounts.audit import request_context
from accounts.errors import AccountsCode
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit

_KEY = "interrupted"
#: Bytes of one page's text; a step of the form holds far less.
_MAX_BYTES = 64 * 1024
#: Requests per network and hour: anyone can have a text stored without signing in.
_PER_NETWORK = Limit("interrupted", 30, 3600)


def signed_out(request: HttpRequest) -> HttpResponse:
    """Redirect to the sign-in page and store what was sent; 401 to scripts."""
    if request.headers.get("Accept") == "application/json":
        error = "You are signed out. Press Save: after you sign in, your text is still here."
        return JsonResponse({"error": error, "code": AccountsCode.LOGIN_REQUIRED}, status=401)
    if request.method == "POST":
        _store(request)
    return redirect_to_login(request.get_full_path())


def _store(request: HttpRequest) -> None:
    sent = request.POST.copy()
    sent.pop("csrfmiddlewaretoken", None)
    text = sent.urlencode()
    network = request_context.current().network
    if len(text) <= _MAX_BYTES and buckets.take(_PER_NETWORK, network).allowed:
        request.session[_KEY] = json.dumps([request.path, text])


def refusal(request: HttpRequest) -> HttpResponse | None:
    """Return the response to a request that fails the CSRF check, None to any other.

    The page was opened before its reader signed in again, or belongs to another site: nothing of
    it may be saved.
    """
    response = CsrfViewMiddleware(signed_out).process_view(request, signed_out, (), {})
    assert response is None or isinstance(response, HttpResponse)
    return response


def pop_stored(request: HttpRequest) -> QueryDict | None:
    """Return, once, what was sent to this page before its author had to sign in."""
    stored = request.session.get(_KEY)
    if not stored:
        return None
    path, text = json.loads(stored)
    if path != request.path:
        return None
    del request.session[_KEY]
    return QueryDict(text)
