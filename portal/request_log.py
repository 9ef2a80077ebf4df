"""What the log says of a request: never a secret that its address carries."""

import re

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

    def handle_response(self, request: HttpRequest, response: HttpResponse) -> None:
        """Leave a file as it is: wrapped, it would be sent by Python and not by the kernel."""
        if getattr(response, "file_to_stream", None) is not None:
            structlog.contextvars.clear_contextvars()
            return
        super().handle_response(request, response)

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {loggable(request.path)}"
