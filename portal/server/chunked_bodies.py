"""WSGI middleware that buffers chunked bodies and sets their Content-Length.

Django treats a request without Content-Length as one without a body, and scripts that pipe their
JSON send none. nginx buffers bodies itself, so behind it this does nothing.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

#: Maximum bytes, like DATA_UPLOAD_MAX_MEMORY_SIZE: Django refuses longer bodies with 413.
MOST = 1024 * 1024


class ChunkedBodies:
    """Buffer a chunked body of at most `MOST` bytes."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ and "CONTENT_LENGTH" not in environ:
            _buffer(environ)
        return self.application(environ, start_response)


class _Unreadable(io.RawIOBase):
    """A malformed or too long body; reading it fails as if the client had disconnected."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("the chunked body cannot be read")

    def readline(self, size: int | None = -1) -> bytes:
        return self.read()


def _buffer(environ: Environ) -> None:
    try:
        body = environ["wsgi.input"].read(MOST + 1)
    except Exception:  # gunicorn's parsing errors have no common base class
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = _Unreadable(), "1"
        return
    whole = len(body) <= MOST
    environ["wsgi.input"] = io.BytesIO(body) if whole else _Unreadable()
    environ["CONTENT_LENGTH"] = str(len(body))
