"""Many concurrent clients, access that ends during a download, and a failing store."""

import socket
import socketserver
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
from huggingface_hub import constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from pytest_django import Settings

from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.front import ask
from tests.support.servers.live import Portal
from tests.support.servers.services import wait_until
from weights.delivery import file_links
from weights.gate.caller import session_caller

pytestmark = pytest.mark.one_database

#: More than the socket buffers of both sides hold for a stalled reader.
LARGE = bytes(range(256)) * 100_000
SMALL = b"0123456789" * 1000


# -- 300 at once ----------------------------------------------------------------------------


def test_three_hundred_clients_at_once_get_clean_answers_and_leave_nothing_behind(
    store: Path, start_portal: Callable[..., Portal], applicant: User, gated_tier: Tier
) -> None:
    factories.published("acme/open", files={"small.bin": SMALL, "large.bin": LARGE[:3_000_000]})
    factories.published("acme/gated", gated_tier, {"small.bin": SMALL})
    factories.grant(applicant, gated_tier)
    bearer = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    portal = start_portal(settings_={"RATE_LIMITS": "off"})
    asked: list[tuple[str, str, dict[str, str], int]] = [
        ("HEAD", "/acme/open/resolve/main/small.bin", {}, 200),
        ("GET", "/acme/open/resolve/main/small.bin", {}, 200),
        ("GET", "/acme/open/resolve/main/large.bin", {}, 200),
        ("GET", "/acme/open/resolve/main/large.bin", {"Range": "bytes=7-70"}, 206),
        ("GET", "/acme/gated/resolve/main/small.bin", bearer, 200),
        ("GET", "/acme/gated/resolve/main/small.bin", {}, 401),
        ("GET", "/acme/open", {"Accept": "text/html"}, 200),
        ("GET", "/api/models/acme/open", {}, 200),
    ]
    before = [_answer(portal, *each[:3]) for each in asked]
    assert [answer[0] for answer in before] == [each[3] for each in asked]

    def all_at_once() -> Counter[int]:
        start = threading.Barrier(300)

        def one(number: int) -> int:
            method, path, headers, expected = asked[number % len(asked)]
            start.wait(30)
            status, told, body = _answer(portal, method, path, headers)
            if status in {429, 503}:
                assert int(told["Retry-After"]) > 0
                return status
            assert status == expected, (path, status, body[:200])
            if "/resolve/" in path:  # pages and facts count the downloads
                assert body == before[number % len(asked)][2]
            return status

        with ThreadPoolExecutor(300) as clients:
            return Counter(clients.map(one, range(300)))

    statuses = all_at_once()
    assert set(statuses) <= {200, 206, 401, 429, 503}
    assert statuses[200] > 100, statuses
    wait_until(lambda: not _connections(portal), "the end of every connection")
    assert not _open_blobs(portal, store)
    threads = sum(len(list((worker / "task").iterdir())) for worker in _workers(portal))
    assert threads <= _most_threads(portal), "no thread beside the pools is left over"
    after = [_answer(portal, *each[:3]) for each in asked]
    assert [answer[::2] for answer in after[:6]] == [answer[::2] for answer in before[:6]]


def _answer(
    portal: Portal, method: str, path: str, headers: dict[str, str]
) -> tuple[int, Any, bytes]:
    return ask(Request(portal.url + path, headers=headers, method=method))


def _workers(portal: Portal) -> list[Path]:
    """The web processes below /proc."""
    top = portal.processes["web"].pid
    children = Path(f"/proc/{top}/task/{top}/children").read_text().split()
    return [Path("/proc") / child for child in children]


def _open_blobs(portal: Portal, store: Path) -> int:
    links = [link for worker in _workers(portal) for link in (worker / "fd").iterdir()]
    return sum(str(link.readlink()).startswith(str(store)) for link in links if link.is_symlink())


def _connections(portal: Portal) -> int:
    """The number of connections that the portal has not closed."""
    port = f"{urlsplit(portal.url).port:04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    established, close_wait = "01", "08"
    return sum(row[1].endswith(f":{port}") and row[3] in {established, close_wait} for row in rows)


def _most_threads(portal: Portal) -> int:
    """The most threads of the web processes: pools, event loop and database."""
    arguments = portal.processes["web"].args
    assert isinstance(arguments, list)
    workers, threads = (
        int(arguments[arguments.index(name) + 1]) for name in ("--workers", "--threads")
    )
    return workers * (threads + 8)


# -- access that ends during a download --------------------------------------------------------


def test_a_running_transfer_continues_after_a_revocation_and_a_resumed_one_is_refused(
    store: Path, start_portal: Callable[..., Portal], applicant: User, gated_tier: Tier
) -> None:
    factories.published("acme/gated", gated_tier, {"large.bin": LARGE})
    grant = factories.grant(applicant, gated_tier)
    token = factories.token(applicant, "read-gated")
    portal = start_portal()
    by_token = f"{portal.url}/acme/gated/resolve/main/large.bin"
    bearer = {"Authorization": f"Bearer {token}"}
    issued = file_links.issue(session_caller(applicant), "acme/gated", "main", "large.bin", 3)
    parts = urlsplit(issued)
    by_link = f"{portal.url}{parts.path}?{parts.query}"

    with _begun(by_link, {}) as linked, _begun(by_token, bearer) as running:
        wait_until(lambda: _resumed(by_link, {})[0] == 410, "the end of the link")
        status, told, body = _resumed(by_link, {})
        assert (told["X-Refusal-Code"], len(body) < 1000) == ("link_expired", True)
        assert "get a new one" in told["X-Error-Message"]
        assert _resumed(by_token, bearer)[0] == 206, "the right itself has not ended"

        lifecycle.revoke(grant, by=None, reason="it leaked")
        status, told, body = _resumed(by_token, bearer)
        assert (status, told["X-Refusal-Code"]) == (403, "revoked")
        assert LARGE[:50] not in body
        assert _resumed(by_link, {})[0] in {403, 410}

        assert _rest(linked) == LARGE
        assert _rest(running) == LARGE


def _begun(url: str, headers: dict[str, str]) -> socket.socket:
    """Start a download and stop reading after the first bytes."""
    where = urlsplit(url)
    connection = socket.socket()
    # Small, so that the server still has most of the file.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(30)
    connection.connect((where.hostname or "", where.port or 0))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    target = f"{where.path}?{where.query}" if where.query else where.path
    request = f"GET {target} HTTP/1.1\r\nHost: {where.netloc}\r\nConnection: close\r\n{lines}\r\n"
    connection.sendall(request.encode())
    assert connection.recv(12, socket.MSG_PEEK | socket.MSG_WAITALL).endswith(b"200")
    return connection


def _rest(connection: socket.socket) -> bytes:
    content = bytearray()
    while block := connection.recv(1 << 20):
        content += block
    return bytes(content).partition(b"\r\n\r\n")[2]


def _resumed(url: str, headers: dict[str, str]) -> tuple[int, Any, bytes]:
    return ask(Request(url, headers={**headers, "Range": "bytes=1000-1999"}))


# -- a store that fails ---------------------------------------------------------------------

#: Bytes after which a transfer breaks; the Hub's client writes ten MiB and loses the rest.
_CUT = 11_000_000
FAILURES: dict[str, bytes] = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "503": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "cut": b"",
    "trickling": b"",
    "silent": b"",
}


class _Between(socketserver.BaseRequestHandler):
    """One connection to the store, with the next failure of the list."""

    server: "_Middleman"

    def handle(self) -> None:
        request = self.request.recv(65536)
        way = self.server.failures.pop(0) if self.server.failures else ""
        if answer := FAILURES.get(way):
            self.request.sendall(answer)
        elif way == "silent":
            self.server.closed.wait(20)
        else:
            self._pass_on(request, way)

    def _pass_on(self, request: bytes, way: str) -> None:
        with socket.create_connection(self.server.store) as store:
            store.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
            sent = 0
            while block := store.recv(65536):
                try:
                    self.request.sendall(block)
                except OSError:
                    return
                sent += len(block)
                self.server.sent += len(block)
                if way and sent > _CUT:
                    if way == "trickling":
                        self.server.closed.wait(20)
                    return


class _Middleman(socketserver.ThreadingTCPServer):
    """A proxy of the real store that works once its list of failures is empty."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, store: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Between)
        self.store = store
        self.failures: list[str] = []
        self.sent = 0
        self.closed = threading.Event()


@pytest.fixture
def middleman(s3_store: str, s3_endpoint: str, settings: Settings) -> Iterator[_Middleman]:
    """A proxy between clients and the store; the portal itself bypasses it."""
    where = urlsplit(s3_endpoint)
    with _Middleman((where.hostname or "", where.port or 0)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.closed.set()
        server.shutdown()


@pytest.mark.needs("curl")
def test_curl_and_the_hubs_client_resume_after_every_failure_of_the_store(
    middleman: _Middleman,
    start_portal: Callable[..., Portal],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factories.published("acme/open", files={"large.bin": LARGE})
    public = f"http://127.0.0.1:{middleman.server_address[1]}"
    portal = start_portal(settings_={"S3_PUBLIC_ENDPOINT_URL": public})
    # The client's timeout, ten seconds by default.
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 2)
    every = list(FAILURES)

    middleman.failures = every.copy()
    url = f"{portal.url}/acme/open/resolve/main/large.bin"
    # curl gives up after two slow seconds, as scripts configure it.
    curl = ["curl", "-sSfL", "-C", "-", "--speed-limit", "1000", "--speed-time", "2"]
    for _ in range(10):
        done = subprocess.run([*curl, "-o", "large.bin", url], cwd=tmp_path, check=False)
        if done.returncode == 0:
            break
    assert (tmp_path / "large.bin").read_bytes() == LARGE
    assert middleman.failures == []
    assert middleman.sent < len(LARGE) * 1.2, "it went on and did not begin again"

    middleman.failures, middleman.sent = every.copy(), 0
    for _ in range(10):
        try:
            got = hf_hub_download(
                *("acme/open", "large.bin"),
                endpoint=portal.url,
                cache_dir=tmp_path / "cache",
                token=False,
            )
            break
        except HfHubHTTPError as error:
            if error.response.status_code not in {500, 503}:
                raise
    assert Path(got).read_bytes() == LARGE
    assert middleman.failures == []
    assert middleman.sent < len(LARGE) * 1.2
