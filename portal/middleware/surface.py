"""The HTTP surface: which requests get in at all, and facts of each for trail and ledger."""

from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.audit import request_context
from accounts.web.error_pages import error_page
from portal.server.normalize_headers import REFUSED_CHARSET
from weights.delivery.serving import problem

#: Below these, each address names its own methods.
_DOORS = ("/api/", "/d/", "/f/")
PAGE_METHODS = frozenset({"GET", "HEAD", "POST"})


class SurfaceMiddleware:
    """Refuse what no address takes, and keep authenticated answers out of caches.

    Every answer gets the request's id, and what happens meanwhile is noted under it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # an unknown host is 400 on every address, static or not
        facts = request_context.RequestFacts(
            request_id=request.META.get("REQUEST_ID", ""),
            network=request_context.network_of(request.META.get("REMOTE_ADDR", "")),
        )
        with request_context.using(facts):
            response = _refusal(request) or _with_words(request, self.get_response(request))
        if facts.request_id and "X-Request-Id" not in response:
            response["X-Request-Id"] = facts.request_id
        if _is_personal(request) and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return _without_body(response) if request.method == "HEAD" else response


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """The answer to what no address takes: a body that is compressed or in a charset that is not
    read here, or a method that no page has.

    TRACE would send a caller's cookies and tokens back.
    """
    if "HTTP_CONTENT_ENCODING" in request.META:
        message = "Send the body as it is, not compressed."
        return problem(415, "unsupported_media_type", message, request)
    if charset := request.META.get(REFUSED_CHARSET):
        message = f"Send text in UTF-8; the charset {charset!r} is not taken."
        return problem(415, "unsupported_media_type", message, request)
    if request.method in PAGE_METHODS or _is_for_scripts(request.path_info):
        return None
    allowed = ", ".join(sorted(PAGE_METHODS))
    response = problem(405, "method_not_allowed", f"Use one of {allowed}.", request)
    response["Allow"] = allowed
    return response


def _with_words(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A page that takes other methods says so; Django's own answer is blank."""
    if response.status_code != 405 or response.streaming or response.content:
        return response
    page = error_page(request, 405)
    page["Allow"] = response["Allow"]
    return page


def _is_for_scripts(path: str) -> bool:
    """Whether the address itself says, in the words of its API, which methods it takes."""
    return path == "/api" or path.startswith(_DOORS) or path.split("/")[3:4] == ["resolve"]


def _without_body(response: HttpResponse) -> HttpResponse:
    """A HEAD is answered like a GET, length and all, but for the bytes (RFC 9110 9.3.2)."""
    if not response.streaming and response.content:
        response["Content-Length"] = str(len(response.content))
        response.content = b""
    return response


def _is_personal(request: HttpRequest) -> bool:
    """Whether the answer was made for a signed-in person; asks nothing of the database.

    A view that never looked at the session or at the person has not used either.
    """
    session = getattr(request, "session", None)
    if session is None or not session.accessed:
        return False
    return bool(request.user.is_authenticated)


class PolicyMiddleware(CSPMiddleware):
    """The content security policy, made once, since hardly an answer has one of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._usual = build_policy()
        #: The page whose form leads to a provider may send the browser there, and nowhere else.
        self._of_page = {
            f"{provider}_login": build_policy(update={"form-action": [origin]})
            for provider, origin in settings.SOCIAL_ORIGINS.items()
        }

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if settings.DEBUG or _has_a_policy_of_its_own(request, response):
            return super().process_response(request, response)
        page = request.resolver_match.url_name if request.resolver_match else None
        response.headers.setdefault(HEADER, self._of_page.get(page or "", self._usual))
        return response


def _has_a_policy_of_its_own(request: HttpRequest, response: HttpResponseBase) -> bool:
    """Whether a view's decorator or a template's nonce has changed it."""
    return "_csp_nonce" in vars(request) or not _OF_DECORATORS.isdisjoint(vars(response))


#: What the library's decorators note on an answer; `_ro` is for policies that only report.
_OF_DECORATORS = {
    f"_csp_{what}{which}"
    for what in ("config", "exempt", "replace", "update")
    for which in ("", "_ro")
}
