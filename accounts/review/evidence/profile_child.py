"""Opens one URL from standard input; prints an outcome and the HTTP status.

`profiles.py` runs it in a separate process, because applicants choose the URL. It opens only public
addresses over https, also after redirects, and reads no body.
"""

import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import requests
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress

#: Connect and read timeouts in seconds; the parent limits the total.
_TIMEOUTS = (5, 5)
_MAX_REDIRECTS = 3
_AGENT = "Weighbridge (checks once that an applicant's profile page exists)"

_GONE = {404, 410}


class _Session(HTTPSession):
    def resolve_redirects(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Yield nothing: `requests` would read the whole body of a redirect, however long."""
        yield from ()


def look(address: str, *, authority: str | bool = True, loopback: bool = False) -> str:
    """Return `answers`, `gone`, `refuses` or `silent`, with any HTTP status; or `inside`.

    Tests pass `authority` and `loopback` for their own servers.
    """
    config = Config(
        ip_filter_enable=True,
        ip_filter_allow_loopback_ips=loopback,
        never_redirect=True,
        default_timeout=_TIMEOUTS,
        user_agent_override=_AGENT,
    )
    with _Session(config) as session:
        session.verify = authority
        session.trust_env = False  # send no password from a netrc file
        del session.adapters["http://"]  # refuse redirects to http
        try:
            return _follow(session, address)
        except InvalidIPAddress:
            return "inside"
        except (requests.RequestException, ValueError, OSError):
            return "silent"


def _follow(session: requests.Session, address: str) -> str:
    """Return the outcome after redirects, followed here because `requests` reads each body."""
    for _ in range(_MAX_REDIRECTS + 1):
        with session.get(address, stream=True, allow_redirects=False) as response:
            if not response.is_redirect:
                return f"{_outcome(response.status_code)} {response.status_code}"
            address = urljoin(address, response.headers["Location"])
    return "silent"


def _outcome(status: int) -> str:
    if status < 400:
        return "answers"
    if status in _GONE:
        return "gone"
    return "refuses" if status < 500 or status == 999 else "silent"


if __name__ == "__main__":
    sys.stdout.write(look(sys.stdin.read()))
