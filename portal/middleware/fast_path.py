"""A fast path for the requests that scripts send most: files, listings, signed links."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import Resolver404, ResolverMatch, URLResolver
from django.urls.resolvers import RegexPattern

from weights.delivery import urls as delivery_urls
from weights.hub_api import urls as hub_urls


class FastPathMiddleware:
    """Calls a script's view directly, without sessions, CSRF, messages and accounts.

    It comes after the middleware for every response (log, limits, policy headers) and before that
    for pages. Requests of browsers, which send a session cookie or accept HTML, take the full
    path. On the fast path, therefore, only the credential in the request identifies a person.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        match = _view(request)
        if match is None:
            return self.get_response(request)
        request.resolver_match = match
        response: HttpResponseBase = match.func(request, *match.args, **match.kwargs)
        if isinstance(response, HttpResponse) and "Content-Length" not in response.headers:
            response["Content-Length"] = str(len(response.content))
        return response


#: Routes of `portal.urls`, without those that come first there (figures: docs/decisions/0008).
_ROUTES = URLResolver(RegexPattern(r"^/"), [*hub_urls.SCRIPT_ROUTES, *delivery_urls.SCRIPT_ROUTES])


def _view(request: HttpRequest) -> ResolverMatch | None:
    """The view of a script's request; None for all others."""
    if request.method not in {"GET", "HEAD"} or _is_browser(request):
        return None
    try:
        return _ROUTES.resolve(request.path_info)
    except Resolver404:
        return None


def _is_browser(request: HttpRequest) -> bool:
    headers = request.headers
    has_session = settings.SESSION_COOKIE_NAME in headers.get("Cookie", "")
    return has_session or "text/html" in headers.get("Accept", "")
