"""Refuse requests that no view accepts, and bind each request's data for trail and ledger.

From here on, acts that require recent authentication are refused, until a later middleware or a
token proves it.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.audit import request_context
from accounts.errors import AccountsCode
from accounts.users import recent_authentication
from accounts.web.error_pages import error_page
from portal.server.normalize_headers import REFUSED_CHARSET
from weights.delivery.serving import problem

#: Below these prefixes, each view declares its own methods.
_SCRIPT_PREFIXES = ("/api/", "/d/", "/f/")
PAGE_METHODS = frozenset({"GET", "HEAD", "POST"})


class RequestFilterMiddleware:
    """Refuse unsupported hosts, bodies and methods; keep personal responses out of caches.

    Every response has the request's id, to which audit events and downloads refer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises DisallowedHost: 400 for an unknown host, on every path
        facts = request_context.RequestContext(
            request_id=request.META.get("REQUEST_ID", ""),
            network=request_context.network_of(request.META.get("REMOTE_ADDR", "")),
        )
        with request_context.using(facts), recent_authentication.in_request():
            response = _refusal(request) or _explain_405(request, self.get_response(request))
        if facts.request_id and "X-Request-Id" not in response:
            response["X-Request-Id"] = facts.request_id
        if _is_personal(request) and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return _without_body(response) if request.method == "HEAD" else response


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """415 for a compressed body or an unsupported charset, 405 for a method that no page has.

    TRACE, for example, would echo a caller's cookies and tokens. None accepts the request.
    """
    if "HTTP_CONTENT_ENCODING" in request.META:
        message = "Send the body as it is, not compressed."
        return problem(415, AccountsCode.UNSUPPORTED_MEDIA_TYPE, message, request)
    if charset := request.META.get(REFUSED_CHARSET):
        message = f"Send text in UTF-8; the charset {charset!r} is not taken."
        return problem(415, AccountsCode.UNSUPPORTED_MEDIA_TYPE, message, request)
    if request.method in PAGE_METHODS or _is_for_scripts(request.path_info):
        return None
    allowed = ", ".join(sorted(PAGE_METHODS))
    response = problem(405, AccountsCode.METHOD_NOT_ALLOWED, f"Use one of {allowed}.", request)
    response["Allow"] = allowed
    return response


def _explain_405(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Replace Django's empty 405 with an error page with the same Allow header."""
    if response.status_code != 405 or response.streaming or response.content:
        return response
    page = error_page(request, 405)
    page["Allow"] = response["Allow"]
    return page


def _is_for_scripts(path: str) -> bool:
    """True if the path belongs to an API, which reports unsupported methods in its own format."""
    is_file = path.split("/")[3:4] in (["resolve"], ["raw"])
    is_api = path == "/api" or path.startswith(_SCRIPT_PREFIXES)
    return is_api or is_file or is_upload(path)


def is_upload(path: str) -> bool:
    """True if the path is one of `weights.uploads.urls`."""
    return ".git/info/lfs/objects/" in path


def _without_body(response: HttpResponse) -> HttpResponse:
    """The response to HEAD: that to GET without its body (RFC 9110, section 9.3.2)."""
    if not response.streaming and response.content:
        response["Content-Length"] = str(len(response.content))
        response.content = b""
    return response


def _is_personal(request: HttpRequest) -> bool:
    """True if the response was made for a signed-in person; runs no query.

    A view that did not access the session did not access the user either.
    """
    session = getattr(request, "session", None)
    if session is None or not session.accessed:
        return False
    return bool(request.user.is_authenticated)
