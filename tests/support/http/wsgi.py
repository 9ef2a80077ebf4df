"""The portal's WSGI stack in this process, for requests that no HTTP client sends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from ipaddress import IPv4Address
from itertools import count
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.http.wsgi import create

from portal.server.chunked_bodies import ChunkedBodies
from portal.server.normalize_headers import HeaderNormalizer

_CONFIG = Config()


@dataclass(frozen=True)
class Answer:
    """Status, headers by lower-case name, and the complete body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stack:
    """The WSGI application with its layers, as in `portal.wsgi`.

    Does not import that module, which records the start of a web process.
    """

    def __init__(self) -> None:
        self._application = HeaderNormalizer(ChunkedBodies(WSGIHandler()))
        #: Each request gets a new client address, so that no rate limit applies.
        self._clients = map(IPv4Address, count(int(IPv4Address("10.0.0.1"))))

    def ask(self, method: str, target: str, **headers: str) -> Answer:
        """Send one request for the unchanged `target`, parsed by gunicorn."""
        named = {"Host": "testserver", **headers}
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in named.items()]
        head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""])
        return self._answer(_environ(head.encode(), str(next(self._clients))))

    def _answer(self, environ: dict[str, Any]) -> Answer:
        begun: dict[str, Any] = {}

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            begun["status"] = int(status.split()[0])
            begun["headers"] = {name.lower(): value for name, value in headers}

        with _open_connections():
            response = self._application(environ, start_response)
            try:
                body = b"".join(response)
            finally:
                getattr(response, "close", lambda: None)()
        return Answer(begun["status"], begun["headers"], body)


@contextmanager
def _open_connections() -> Iterator[None]:
    """Keep the test's database connection open, which requests would close."""
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in ends:
            signal.connect(close_old_connections)


def _environ(head: bytes, client: str) -> dict[str, Any]:
    """The WSGI environ that gunicorn creates from a request's bytes."""
    parsed = next(RequestParser(_CONFIG, iter([head]), (client, 1)))
    _, environ = create(parsed, None, (client, 1), ("testserver", 80), _CONFIG)
    environ["wsgi.input"] = BytesIO()
    return dict(environ)
