"""`python -m portal.health_check [web|worker]`: exit 0 when this container's process answers."""

import socket
import sys
from collections.abc import Callable
from urllib.error import URLError
from urllib.request import Request, urlopen

from portal import celery_app
from portal.settings import environment

#: Seconds that a worker may take to answer.
PATIENCE = 10.0


def main(arguments: list[str]) -> int:
    """Ask the process, `web` unless another is named; what is wrong goes to stderr."""
    checks: dict[str, Callable[[], str]] = {"web": web, "worker": worker}
    name = arguments[0] if arguments else "web"
    if name not in checks:
        sys.exit(f"usage: python -m portal.health_check [{'|'.join(checks)}]")
    if wrong := checks[name]():
        print(wrong, file=sys.stderr)  # noqa: T201
    return 1 if wrong else 0


def web() -> str:
    """Ask as the proxy would: under a host that the portal answers for, over https."""
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
    """Ask the worker of this host by the broker, as it takes its work."""
    name = f"celery@{socket.gethostname()}"
    try:
        answers = celery_app.control.ping(destination=[name], timeout=PATIENCE, limit=1)
    except OSError as error:  # the broker's errors are of this kind
        return f"the broker does not answer: {error}"
    return "" if answers else f"{name} does not answer"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
