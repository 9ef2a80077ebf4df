"""Opens one address from standard input: prints one word for what came, and the status.

Run as a program of its own (`accounts.profiles` starts it), because a stranger names the
address: only public addresses over https, redirects too, and nothing that comes back is read.
"""

import sys
from urllib.parse import urljoin

import requests
from requests_hardened import Config, Manager
from requests_hardened.ip_filter import InvalidIPAddress

#: Seconds to connect and between two bytes; whoever started us bounds the whole.
_WAITS = (5, 5)
_REDIRECTS = 3
_AGENT = "Weighbridge (looks once whether an applicant's profile page answers)"

_GONE = {404, 410}


def look(address: str, *, authority: str | bool = True, loopback: bool = False) -> str:
    """`answers`, `gone`, `refuses` or `silent`, with a status where one came; or `inside`.

    Tests have servers of their own on loopback, known by a certificate of their own.
    """
    manager = Manager(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=loopback,
            never_redirect=False,
            default_timeout=_WAITS,
            user_agent_override=_AGENT,
        )
    )
    with manager.get_session() as session:
        session.verify = authority
        session.trust_env = False  # no password of a netrc file goes to a stranger
        del session.adapters["http://"]  # nor does a redirect lead away from https
        try:
            return _last(session, address)
        except InvalidIPAddress:
            return "inside"
        except (requests.RequestException, ValueError, OSError):
            return "silent"


def _last(session: requests.Session, address: str) -> str:
    """What the end of the redirects says; `requests` would read the body of each on the way."""
    for _ in range(_REDIRECTS + 1):
        with session.get(address, stream=True, allow_redirects=False) as response:
            if not response.is_redirect:
                return f"{_word(response.status_code)} {response.status_code}"
            address = urljoin(address, response.headers["Location"])
    return "silent"


def _word(status: int) -> str:
    if status < 400:
        return "answers"
    if status in _GONE:
        return "gone"
    return "refuses" if status < 500 or status == 999 else "silent"


if __name__ == "__main__":
    sys.stdout.write(look(sys.stdin.read()))
