"""Call the portal's WSGI application in this process like gunicorn."""

import io
import sys
from collections.abc import Callable
from contextlib import closing
from typing import Any


def client(port: int, token: str) -> Callable[[str, str], bytes]:
    """Return a function that takes method and path and returns the response's body.

    It raises SystemExit for statuses other than 200 and 302.
    """
    from portal.wsgi import application

    def ask(method: str, address: str) -> bytes:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": address,
            "RAW_URI": address,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(port),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": f"127.0.0.1:{port}",
            "HTTP_AUTHORIZATION": f"Bearer {token}",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        }
        status = []
        answer: Any = application(environ, lambda line, headers, failure=None: status.append(line))
        with closing(answer):
            body = b"".join(answer)
        if status[0][:3] not in {"200", "302"}:
            raise SystemExit(f"{method} {address}: {status[0]} {body[:200]!r}")
        return body

    return ask
