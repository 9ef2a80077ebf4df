"""Bodies that come in chunks, without a length: measured before Django sees them.

Django takes a request without Content-Length for one without a body, and scripts that pipe
their JSON send none. Behind nginx, which measures bodies itself, this finds nothing to do.
"""

import io
from collections.abc import Callable, Iterable
from typing import Any

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

#: As DATA_UPLOAD_MAX_MEMORY_SIZE: what is longer is refused as any body of that length is.
MOST = 1024 * 1024


class MeasuredBodies:
    """Read a chunked body up to its bound and give it the length it has."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_TRANSFER_ENCODING" in environ and "CONTENT_LENGTH" not in environ:
            _measure(environ)
        return self.application(environ, start_response)


class _Unreadable(io.RawIOBase):
    """A body of which nothing may be used: reading it fails, as when its sender went away."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("the chunked body cannot be read")

    def readline(self, size: int | None = -1) -> bytes:
        return self.read()


def _measure(environ: Environ) -> None:
    try:
        body = environ["wsgi.input"].read(MOST + 1)
    except Exception:  # gunicorn's errors of parsing share no other type
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = _Unreadable(), "1"
        return
    whole = len(body) <= MOST
    environ["wsgi.input"] = io.BytesIO(body) if whole else _Unreadable()
    environ["CONTENT_LENGTH"] = str(len(body))
