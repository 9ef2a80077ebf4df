"""`python -m portal.health_check`: exit 0 when the web server of this container answers."""

import sys
from urllib.error import URLError
from urllib.request import Request, urlopen

from portal import env


def main() -> int:
    """Ask as the proxy would: under a host that the portal answers for, over https."""
    host = (env.words("ALLOWED_HOSTS") or ["127.0.0.1"])[0]
    headers = {"Host": host, "X-Forwarded-Proto": "https"}
    port = env.text("BIND", "0.0.0.0:8000").rpartition(":")[2]
    request = Request(f"http://127.0.0.1:{port}/healthz", headers=headers)
    try:
        with urlopen(request, timeout=5) as answer:  # noqa: S310 - our own  # nosec B310
            return 0 if answer.status == 200 else 1
    except (URLError, OSError) as error:
        print(f"the web server does not answer: {error}", file=sys.stderr)  # noqa: T201
        return 1


if __name__ == "__main__":
    sys.exit(main())
