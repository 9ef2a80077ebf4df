"""`python -m portal.health_check [web|worker]`: exit 0 if this container's process answers."""

import socket
import sys
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import Request, urlopen

from portal import celery_app
from portal.settings import environment

#: Seconds within which a worker must answer.
TIMEOUT = 10.0


def main(arguments: list[str]) -> int:
    """Check the process, by default `web`; print a failure to stderr."""
    checks: dict[str, Callable[[], str]] = {"web": web, "worker": worker}
    name = arguments[0] if arguments else "web"
    if name not in checks:
        sys.exit(f"usage: python -m portal.health_check [{'|'.join(checks)}]")
    if failure := checks[name]():
        print(failure, file=sys.stderr)  # noqa: T201
    return 1 if failure else 0


def web() -> str:
    """Request /healthz as the proxy does: with an allowed host, over https."""
    host = (environment.words("ALLOWED_HOSTS") or ["127.0.0.1"])[0]
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    port = environment.text("BIND", "0.0.0.0:8000").rpartition(":")[2]
    request = Request(f"http://127.0.0.1:{port}/healthz", headers=headers)
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - our own  # nosec B310
            return "" if answer.status == 200 else f"the web server answers {answer.status}"
    except (URLError, OSError) as error:
        return f"the web server does not answer: {error}"


def worker() -> str:
    """Ping the worker of this host through the broker."""
    name = f"celery@{socket.gethostname()}"
    try:
        replies = celery_app.control.ping(destination=[name], timeout=TIMEOUT, limit=1)
    except OSError as error:  # the base class of the broker's errors
        return f"the broker does not answer: {error}"
    return "" if replies else f"{name} does not answer"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
