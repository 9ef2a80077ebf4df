"""What the log says of a request: never a secret that its address carries."""

import re
import sys
import uuid
from typing import Any, cast

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from accounts.background.outages import DATABASE_AWAY, in_a_line

log = structlog.get_logger(__name__)
#: An id that a proxy or a client may give a request; any other is replaced by ours.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
#: The token of a checkpoint link is a credential; its first characters are enough to find it.
_LINK = re.compile(r"^(/d/[A-Za-z0-9_-]{0,6})[^/]*")


def loggable(path: str) -> str:
    """A path without the token of a checkpoint link."""
    return _LINK.sub(r"\1…", path)


class RequestLogMiddleware(RequestMiddleware):
    """Give each request its id, and log failures without queries, tokens or signatures."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """As the base, which asks each time whether it runs under ASGI; nothing here does."""
        self.prepare(request)
        response = cast(HttpResponse, self.get_response(request))
        self.handle_response(request, response)
        return response

    def prepare(self, request: HttpRequest) -> None:
        """Bind what each line about this request carries; that it began is not logged.

        The address is the one that our own proxies vouch for (`portal.proxies`).
        """
        told = request.META.get("HTTP_X_REQUEST_ID", "")
        if not _ID.fullmatch(told):
            told = str(uuid.uuid4())
        request.META["REQUEST_ID"] = told  # no header can have this name
        structlog.contextvars.bind_contextvars(
            request_id=told, ip=request.META.get("REMOTE_ADDR", "")
        )

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        """Log a failure; leave everything else, and files above all, as it is.

        A file that is wrapped would be sent by Python and not by the kernel.
        """
        if response.status_code < 500 and not hasattr(request, "_raised_exception"):
            # `clear_contextvars` would search every variable that any library has set.
            structlog.contextvars.unbind_contextvars("request_id", "ip")
            return
        super().handle_response(request, response)

    def process_got_request_exception(
        self, sender: type[Any], request: HttpRequest, **kwargs: Any
    ) -> None:
        """Log what a view raised: with its way through the code, unless the database is away."""
        error = sys.exception()
        if not isinstance(error, DATABASE_AWAY):
            super().process_got_request_exception(sender, request, **kwargs)
        elif not hasattr(request, "_raised_exception"):
            request._raised_exception = error  # type: ignore[attr-defined]
            log.error(in_a_line(error), code=503, request=self.format_request(request))

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {loggable(request.path)}"
