"""Read-only mode (READ_ONLY): respond with 503 to requests that would change something."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

from accounts.background.outages import READ_ONLY_MESSAGE
from accounts.errors import AccountsCode
from portal.databases.read_only import write_refused
from weights.delivery.serving import problem

#: Seconds in Retry-After.
WAIT = 300
#: Topic and message; the Hub's clients print one message per topic.
WARNING = f"read-only; {READ_ONLY_MESSAGE}"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Views that only read, although their requests have a body.
_READING_POSTS = frozenset({"hub:paths-info"})


class ReadOnlyMiddleware:
    """Refuse unsafe methods before any view, and replace responses of views that tried to write.

    Every response gets `X-HF-Warning`, unless it already has one.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        if not settings.READ_ONLY:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        write_refused.set(False)
        response = self._respond(request)
        response.headers.setdefault("X-HF-Warning", WARNING)
        return response

    def _respond(self, request: HttpRequest) -> HttpResponseBase:
        if request.method not in _SAFE and not _only_reads(request):
            return refusal(request)
        response = self.get_response(request)
        is_error = response.status_code >= 500
        return refusal(request) if is_error and write_refused.get() else response


def refusal(request: HttpRequest) -> HttpResponseBase:
    return problem(503, AccountsCode.READ_ONLY, READ_ONLY_MESSAGE, request, wait=WAIT)


def _only_reads(request: HttpRequest) -> bool:
    try:
        return resolve(request.path_info).view_name in _READING_POSTS
    except Resolver404:
        return False
