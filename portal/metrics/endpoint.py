"""WSGI middleware that serves `/metrics`, before Django checks the host and redirects to https.

Prometheus scrapes each server at its internal address. Without METRICS_ADDRESS and METRICS_TOKEN
the path does not exist; METRICS_ADDRESS serves nothing else.
"""

import os
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.db import connections
from prometheus_client import REGISTRY, CollectorRegistry, make_wsgi_app
from prometheus_client.multiprocess import MultiProcessCollector

from portal.metrics.database import DatabaseCollector

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

PATH = "/metrics"


class MetricsEndpoint:
    def __init__(self, application: Application) -> None:
        self.application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        at_address = _is_at_address(environ)
        if at_address and environ["PATH_INFO"] != PATH:
            return _plain(start_response, "404 Not Found", "only /metrics is served here")
        if environ["PATH_INFO"] != PATH or not (at_address or settings.METRICS_TOKEN):
            return self.application(environ, start_response)
        if not at_address and not _has_token(environ):
            challenge = ("WWW-Authenticate", "Bearer")
            return _plain(start_response, "401 Unauthorized", "send METRICS_TOKEN", challenge)
        try:
            answer: Iterable[bytes] = make_wsgi_app(registry())(environ, start_response)
            return answer
        finally:
            connections.close_all()  # Django closes them only after its own requests


def registry() -> CollectorRegistry:
    """The counters of all processes of this web server, and the state of the portal."""
    found = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        found = CollectorRegistry()
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
    merged = CollectorRegistry()
    merged.register(found)
    merged.register(DatabaseCollector())
    return merged


def _is_at_address(environ: Environ) -> bool:
    """True if the request came to METRICS_ADDRESS, by its socket, since headers can be forged."""
    connection = environ.get("gunicorn.socket")
    if not settings.METRICS_ADDRESS or connection is None:
        return False
    name = connection.getsockname()
    return isinstance(name, tuple) and str(name[1]) == settings.METRICS_ADDRESS.rpartition(":")[2]


def _has_token(environ: Environ) -> bool:
    sent = str(environ.get("HTTP_AUTHORIZATION", "")).encode("latin-1", "replace")
    return secrets.compare_digest(sent, f"Bearer {settings.METRICS_TOKEN}".encode())


def _plain(
    start_response: Callable[..., Any], status: str, text: str, *headers: tuple[str, str]
) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    length = ("Content-Length", str(len(body)))
    start_response(status, [("Content-Type", "text/plain; charset=utf-8"), length, *headers])
    return [body]
