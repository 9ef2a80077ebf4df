"""The request log, without credentials in URLs."""

import re
import sys
import uuid
from typing import Any, cast

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

from accounts.background.outages import DATABASE_ERRORS, outage_message
from accounts.errors import AccountsCode

log = structlog.get_logger(__name__)
#: A request id that a trusted proxy may set; any other is replaced.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
#: The token of a checkpoint link is a credential; its first characters are enough to find it.
_LINK = re.compile(r"^(/d/[A-Za-z0-9_-]{0,6})[^/]*")


def loggable(path: str) -> str:
    """A path without the token of a checkpoint link."""
    return _LINK.sub(r"\1…", path)


class RequestLogMiddleware(RequestMiddleware):
    """Assign each request an id; log failures without query strings, tokens or signatures."""

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle a request as the base class does, without its check for ASGI."""
        self.prepare(request)
        response = cast(HttpResponse, self.get_response(request))
        self.handle_response(request, response)
        return response

    def prepare(self, request: HttpRequest) -> None:
        """Bind the request's id and address to its log lines; its start is not logged.

        The address is that of `portal.middleware.forwarded_address`.
        """
        request_id = request.META.get("HTTP_X_REQUEST_ID", "")
        if not settings.TRUSTED_PROXIES or not _ID.fullmatch(request_id):
            request_id = str(uuid.uuid4())
        request.META["REQUEST_ID"] = request_id  # no header can have this name
        structlog.contextvars.bind_contextvars(
            request_id=request_id, ip=request.META.get("REMOTE_ADDR", "")
        )

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        """Log a failure; return every other response unchanged.

        The base class would wrap files, so that Python would send them, not the kernel. A refusal
        in read-only mode is expected.
        """
        is_expected = response.status_code < 500 or (
            response.headers.get("X-Error-Code") == AccountsCode.READ_ONLY
        )
        if is_expected and not hasattr(request, "_raised_exception"):
            # Faster than `clear_contextvars`, which checks the context variables of every library.
            structlog.contextvars.unbind_contextvars("request_id", "ip")
            return
        super().handle_response(request, response)

    def process_got_request_exception(
        self, sender: type[Any], request: HttpRequest, **kwargs: Any
    ) -> None:
        """Log an exception of a view: with its traceback, unless the database is unavailable."""
        error = sys.exception()
        if not isinstance(error, DATABASE_ERRORS):
            super().process_got_request_exception(sender, request, **kwargs)
        elif not hasattr(request, "_raised_exception"):
            request._raised_exception = error  # type: ignore[attr-defined]
            log.error(outage_message(error), code=503, request=self.format_request(request))

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {loggable(request.path)}"
