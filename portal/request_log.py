"""What the log says of a request: never a secret that its address carries."""

import re
import uuid

import structlog
from django.http import HttpRequest, HttpResponse
from django_structlog.middlewares import RequestMiddleware

#: The token of a checkpoint link is a credential; its first characters are enough to find it.
_LINK = re.compile(r"^(/d/[A-Za-z0-9_-]{0,6})[^/]*")


def loggable(path: str) -> str:
    """A path without the token of a checkpoint link."""
    return _LINK.sub(r"\1…", path)


class RequestLogMiddleware(RequestMiddleware):
    """Give each request its id, and log failures without queries, tokens or signatures."""

    def prepare(self, request: HttpRequest) -> None:
        """Bind what each line about this request carries; that it began is not logged.

        The address is the one that our own proxies vouch for (`portal.proxies`).
        """
        told = request.META.get("HTTP_X_REQUEST_ID", "")
        structlog.contextvars.bind_contextvars(
            request_id=told or str(uuid.uuid4()), ip=request.META.get("REMOTE_ADDR", "")
        )

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        """Log a failure; leave everything else, and files above all, as it is.

        A file that is wrapped would be sent by Python and not by the kernel.
        """
        if response.status_code < 500 and not hasattr(request, "_raised_exception"):
            structlog.contextvars.clear_contextvars()
            return
        super().handle_response(request, response)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {loggable(request.path)}"
