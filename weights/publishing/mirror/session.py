"""HTTP requests to another hub, which is not trusted.

Addresses are checked before each connection, redirects are followed one by one, bodies are
limited in size, and temporary failures are retried.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import InvalidSchema, SSLError
from requests_hardened import Config, HTTPSession
from requests_hardened.ip_filter import InvalidIPAddress
from urllib3.exceptions import HTTPError

from accounts.web.sanitize import one_line
from weights.errors import SourceUnusable

#: Seconds to connect and between two reads.
TIMEOUTS = (10, 30)
#: Consecutive attempts without LEAST_PROGRESS bytes, and seconds before the second one.
TRIES, PAUSE = 5, 1.0
LEAST_PROGRESS = 1 << 20
#: The longest wait, in seconds, that a Retry-After header may demand.
LONGEST_WAIT = 300
#: A body with fewer bytes than LEAST in WINDOW seconds counts as stalled.
LEAST, WINDOW = 1 << 16, 60.0
MOST_REDIRECTS = 5
#: Bytes of a JSON answer; a page of 1,000 files has a few hundred thousand.
MOST_JSON = 8 << 20
_BLOCK = 1 << 20
_TEMPORARY = {408, 429, 500, 502, 503, 504}
_ADVICE = {
    401: "pass a token of the source that may read it (--token-file)",
    403: "pass a token of the source that may read it (--token-file), or request access there",
    404: "check the name and the revision",
}

Result = TypeVar("Result")


class Interrupted(Exception):
    """A failure that may be temporary; `wait` is the server's Retry-After in seconds, if any."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class HubSession:
    """Requests to one hub. `private_hosts` (HOST or HOST:PORT) may have private addresses.

    The token is sent only to the hub's own origin. Raises SourceUnusable, which says what to do.
    """

    def __init__(
        self,
        hub: str,
        *,
        token: str = "",
        private_hosts: Collection[str] = (),
        ca_file: str | None = None,
    ) -> None:
        private_hosts = {host.lower() for host in private_hosts}
        self.hub = _checked_hub(hub, private_hosts)
        self._origin = _origin(self.hub)
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._session = _hardened_session(private_hosts)
        self._session.verify = ca_file or True

    def json(self, url: str) -> tuple[Any, str]:
        """The parsed JSON at a URL of the hub, and the URL of the next page or ""."""
        return retried(lambda: self._json(url))

    @contextmanager
    def open(
        self, url: str, *, start: int = 0, leave_hub: bool = False
    ) -> Iterator[requests.Response]:
        """Yields a successful response with its body unread; raises Interrupted.

        Requests the bytes from `start` on. `leave_hub` allows redirects to other hosts.
        """
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
        response = self._follow(url, headers, leave_hub=leave_hub)
        try:
            _check(response)
            yield response
        finally:
            response.close()

    def _json(self, url: str) -> tuple[Any, str]:
        with self.open(url) as response:
            body = b"".join(blocks(response, MOST_JSON + 1))
            following = response.links.get("next", {}).get("url", "")
        if len(body) > MOST_JSON:
            raise SourceUnusable(f"{_shown(url)} sends more than {MOST_JSON} bytes of JSON")
        try:
            content = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise SourceUnusable(f"{_shown(url)} sends no JSON; is HUB a hub's URL?") from error
        return content, self._same_origin(url, following) if following else ""

    def _same_origin(self, url: str, target: str) -> str:
        target = _joined(url, target)
        if _origin(target) != self._origin:
            raise SourceUnusable(
                f"{_shown(url)} leads to {_shown(target)}, another host; if that is the hub's"
                " URL, use it as HUB"
            )
        return target

    def _follow(
        self, url: str, headers: Mapping[str, str], *, leave_hub: bool
    ) -> requests.Response:
        """Follows redirects to the response. `requests` would read the body of each redirect."""
        for _ in range(MOST_REDIRECTS + 1):
            response = self._send(url, headers)
            target = self._session.get_redirect_target(response)
            if target is None:
                return response
            response.close()
            target = _joined(url, target) if leave_hub else self._same_origin(url, target)
            if urlsplit(url).scheme == "https" != urlsplit(target).scheme:
                raise SourceUnusable(
                    f"{_shown(url)} redirects to {_shown(target)}, which is not https"
                )
            url = target
        raise SourceUnusable(f"{_shown(url)} redirects more than {MOST_REDIRECTS} times")

    def _send(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        own = self._authorization if _origin(url) == self._origin else {}
        try:
            return self._session.get(url, headers={**headers, **own}, stream=True)
        except InvalidIPAddress as error:
            raise SourceUnusable(
                f"{_shown(url)} has the private address {error}; if it belongs to the source, add"
                f" --allow-private-address {urlsplit(url).netloc}"
            ) from error
        except InvalidSchema as error:
            raise SourceUnusable(f"{_shown(url)} is not an https URL") from error
        except SSLError as error:
            raise SourceUnusable(
                f"{_shown(url)} has no valid certificate; name its authority with --ca-file"
            ) from error
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise Interrupted(f"{_shown(url)} does not answer ({type(error).__name__})") from error


def retried(attempt: Callable[[], Result], position: Callable[[], int] = lambda: 0) -> Result:
    """Calls `attempt` until it succeeds; raises SourceUnusable after TRIES failures in a row.

    LEAST_PROGRESS bytes gained since the last failure, by `position`, reset the count.
    """
    failures, before = 0, position()
    while True:
        try:
            return attempt()
        except Interrupted as error:
            if position() - before >= LEAST_PROGRESS:
                failures = 0
            failures, before = failures + 1, position()
            if failures == TRIES:
                raise SourceUnusable(
                    f"{error}, after {TRIES} attempts; run the same command later: it continues"
                ) from error
            time.sleep(error.wait or PAUSE * 2 ** (failures - 1))


def blocks(response: requests.Response, most: int) -> Iterator[bytes]:
    """Yields at most `most` bytes of the body; raises Interrupted if it stalls or breaks off."""
    left, received, since = most, 0, time.monotonic()
    while left:
        try:
            block = response.raw.read1(min(_BLOCK, left), decode_content=False)
        except (HTTPError, OSError) as error:
            where = _shown(response.url)
            raise Interrupted(f"{where} broke off ({type(error).__name__})") from error
        if not block:
            return
        yield block
        left -= len(block)
        received += len(block)
        if time.monotonic() - since > WINDOW:
            if received < LEAST:
                raise Interrupted(f"{_shown(response.url)} sends too slowly")
            received, since = 0, time.monotonic()


class _Session(HTTPSession):
    def resolve_redirects(self, *args: Any, **options: Any) -> Iterator[Any]:
        """Yield nothing, because `requests` reads the whole body of a redirect, however long."""
        yield from ()


def _hardened_session(private_hosts: Collection[str]) -> requests.Session:
    """A session that connects to public addresses over https, and to `private_hosts`."""
    session = _Session(
        Config(
            ip_filter_enable=True,
            ip_filter_allow_loopback_ips=False,
            never_redirect=True,
            default_timeout=TIMEOUTS,
            user_agent_override="Weighbridge (mirror)",
        )
    )
    session.trust_env = False  # send no password from a netrc file
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    del session.adapters["http://"]
    for host in private_hosts:
        session.mount(f"http://{host}/", HTTPAdapter())
        session.mount(f"https://{host}/", HTTPAdapter())
    return session


def _checked_hub(hub: str, private_hosts: Collection[str]) -> str:
    try:
        parts = urlsplit(hub)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise SourceUnusable(f"{one_line(hub)!r} is not a hub's URL; write it as https://HOST")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise SourceUnusable("HUB has a user, a query or a fragment; write it as https://HOST")
    if parts.scheme == "http" and parts.netloc.lower() not in private_hosts:
        raise SourceUnusable(
            f"{one_line(hub)} is not an https URL; if it is in your own network, add"
            f" --allow-private-address {one_line(parts.netloc)}"
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _joined(url: str, target: str) -> str:
    """The URL that a header of `url` names; raises SourceUnusable if it is invalid."""
    try:
        joined = urljoin(url, target)
        _origin(joined)
    except ValueError as error:
        raise SourceUnusable(f"{_shown(url)} leads to an invalid URL") from error
    return joined


def _shown(url: str) -> str:
    """The URL without its query, which may contain a signature."""
    parts = urlsplit(url)
    return one_line(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}")[:300]


def _check(response: requests.Response) -> None:
    status, where = response.status_code, _shown(response.url)
    if status in _TEMPORARY:
        seconds = response.headers.get("Retry-After", "")
        is_number = seconds.isdecimal() and seconds.isascii() and len(seconds) < 10
        wait = min(int(seconds), LONGEST_WAIT) if is_number else None
        raise Interrupted(f"{where} answers {status}", wait=wait)
    if status not in {200, 206}:
        reason = one_line(response.headers.get("X-Error-Message", ""))[:200]
        advice = _ADVICE.get(status, "open it in a browser to see why")
        raise SourceUnusable(f"{where} answers {status}{reason and f' ({reason})'}; {advice}")
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise SourceUnusable(
            f"{where} sends a compressed body, though none was requested; have its proxy"
            " leave it as it is"
        )
