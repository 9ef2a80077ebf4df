"""What somebody typed while their session ended: kept until they have signed in again."""

import json

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware

from accounts.audit import request_context
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit

_KEY = "interrupted"
#: Bytes of one page's text; a step of the form holds far less.
_MOST = 64 * 1024
#: Strangers can have texts kept too, though nobody ever reads them: few are enough.
_STRANGERS = Limit("interrupted", 30, 3600)


def signed_out(request: HttpRequest) -> HttpResponse:
    """The answer to somebody who is not signed in (any more); what they sent waits for them."""
    if request.headers.get("Accept") == "application/json":
        error = "You are signed out. Press Save: after you sign in, your text is still here."
        return JsonResponse({"error": error, "code": "login_required"}, status=401)
    if request.method == "POST":
        _put_by(request)
    return redirect_to_login(request.get_full_path())


def _put_by(request: HttpRequest) -> None:
    sent = request.POST.copy()
    sent.pop("csrfmiddlewaretoken", None)
    text = sent.urlencode()
    network = request_context.current().network
    if len(text) <= _MOST and buckets.take(_STRANGERS, network).allowed:
        request.session[_KEY] = json.dumps([request.path, text])


def refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to a form without the proof of this browser, None to one with it.

    The page was open before its reader signed in again, or it is another site's: nothing of it
    may be kept.
    """
    looked_at = CsrfViewMiddleware(signed_out).process_view(request, signed_out, (), {})
    assert looked_at is None or isinstance(looked_at, HttpResponse)
    return looked_at


def taken_up(request: HttpRequest) -> QueryDict | None:
    """What was sent to this page before its sender had to sign in; None for nothing. Once."""
    kept = request.session.get(_KEY)
    if not kept:
        return None
    path, text = json.loads(kept)
    if path != request.path:
        return None
    del request.session[_KEY]
    return QueryDict(text)
