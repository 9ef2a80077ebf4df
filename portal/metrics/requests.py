"""Count requests and their seconds by route, not by path, so that labels name no people."""

import time
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from prometheus_client import Counter, Histogram

from weights.delivery import urls as delivery_urls
from weights.hub_api import urls as hub_urls

REQUESTS = Counter(
    "weighbridge_http_requests",
    "Requests by the name of their route, method and status.",
    ["route", "method", "status"],
)
SECONDS = Histogram(
    "weighbridge_http_request_seconds",
    "Seconds until the response began; the time that its bytes take is not counted.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
#: Names of routes on the fast path, which has no namespaces -> their names on the full path.
_FAST = {
    str(route.name): f"{urls.app_name}:{route.name}"
    for urls in (hub_urls, delivery_urls)
    for route in urls.SCRIPT_ROUTES
}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class MetricsMiddleware:
    """Runs before middleware that refuses requests, so that refusals count too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        method = request.method if request.method in _METHODS else "other"
        count, seconds = _series(route_of(request), str(method), response.status_code)
        count.inc()
        seconds.observe(time.perf_counter() - began)
        return response


def route_of(request: HttpRequest) -> str:
    """The name of the URL pattern: `static` for static files, `none` for an unknown path.

    All pages of the admin are `admin`, since they are many and rarely opened.
    """
    match = request.resolver_match
    if match is None:
        return "static" if request.path_info.startswith(settings.STATIC_URL) else "none"
    if "admin" in match.namespaces:
        return "admin"
    return _FAST.get(match.view_name, match.view_name)


@lru_cache(maxsize=4096)
def _series(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, str(status)), SECONDS.labels(route)
