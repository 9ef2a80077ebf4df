"""Measure the gate's response time while slow clients download.

Run from the project's folder: `.venv/bin/python bench/slow_clients.py [nginx] [built-in]`. Clients
download a file of 8 MB at 256 KB/s each: 200 behind deploy/nginx.conf, and a tenth more than
`DOWNLOADS_AT_ONCE` allows on the built-in server. A client that gets 429 retries after
`Retry-After`, like the Hub's client. Another process requests a gated file (HEAD with a token,
each on a new connection) and a page: before, under and after the load.
"""

import os
import selectors
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from socket import SO_RCVBUF, SOL_SOCKET, create_connection, socket

from support import fronts, install, report, servers
from support.usage import show_help

SIZE = 8 * 1024 * 1024
RATE = 256 * 1024  # bytes per second
BEHIND_NGINX = 200
WINDOW = 10.0  # seconds of each measurement
PATH = "/bench/gated/resolve/main/weights.bin"
#: Bytes of the client's receive buffer; small, so that the server notices a slow client.
ROOM = 64 * 1024
TRIES = 6  # the Hub's client retries five times


@dataclass
class Client:
    """The state and outcome of one slow download."""

    connection: socket | None = None
    tries: int = 0
    head: bytes = b""
    taken: int = 0
    began: float = 0.0
    again_at: float = 0.0
    outcome: str = ""
    waits: list[int] = field(default_factory=list)


def main(ways: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-slow-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        portal, front = servers.free_port(), servers.free_port()
        install.prepare(folder, PUBLIC_URL=f"http://127.0.0.1:{portal}")
        source = folder / "source"
        source.mkdir()
        (source / "weights.bin").write_bytes(os.urandom(SIZE))
        install.publish(source, "bench/gated", "reviewed")
        token = install.tokens_with_access(1)[0]
        for way in ways:
            with WAYS[way](folder, portal, front) as serving:
                if serving is not None:
                    with get_context("spawn").Pool(2) as processes:
                        measure(way, *serving, token, processes)
        install.close()


# -- the two ways ---------------------------------------------------------------------------


@contextmanager
def behind_nginx(folder: Path, portal: int, front: int) -> Iterator[tuple[int, int] | None]:
    from django.conf import settings

    blobs = Path(settings.WEIGHTS_STORAGE.removeprefix("file://"))
    command = fronts.command(folder, front, portal, blobs)
    if command is None:
        report.not_measured("behind nginx", "nginx is not installed")
        yield None
        return
    with (
        servers.running(_web(portal), portal, ACCEL_LOCATION="/blobs/"),
        servers.running(command, front),
    ):
        yield front, BEHIND_NGINX


@contextmanager
def built_in(folder: Path, portal: int, front: int) -> Iterator[tuple[int, int] | None]:
    from django.conf import settings

    command = _web(portal)
    workers = int(command[command.index("--workers") + 1])
    admitted = workers * settings.DOWNLOADS_AT_ONCE
    with servers.running(command, portal):
        yield portal, admitted + admitted // 10


def _web(port: int) -> list[str]:
    from portal import processes

    return processes.web(f"127.0.0.1:{port}")


WAYS = {"nginx": behind_nginx, "built-in": built_in}


# -- measuring ----------------------------------------------------------------------------


def measure(way: str, port: int, count: int, token: str, processes: Pool) -> None:
    ask(port, token, 2)
    before = processes.apply(ask, (port, token, WINDOW))
    downloads = processes.apply_async(download, (port, token, count))
    time.sleep(3)  # until all have started
    loaded = processes.apply(ask, (port, token, WINDOW))
    clients = downloads.get()
    after = processes.apply(ask, (port, token, WINDOW))
    idle = {what: before[what] + after[what] for what in before}
    for what in ("gate", "page"):
        quiet, busy = percentile(idle[what], 99), percentile(loaded[what], 99)
        print(
            f"{way}, {what} while {count} clients take {RATE // 1024} KB/s each:"
            f" p99 {busy:.1f} ms, idle {quiet:.1f} ms, ratio {busy / quiet:.2f};"
            f" p50 {percentile(loaded[what], 50):.1f} ms, idle {percentile(idle[what], 50):.1f} ms",
            flush=True,
        )
    print_outcomes(way, clients)


def print_outcomes(way: str, clients: list[Client]) -> None:
    outcomes = Counter(client.outcome for client in clients)
    waited = [client for client in clients if client.waits]
    print(f"{way}, downloads: {dict(outcomes)}", flush=True)
    if waited:
        tries = dict(sorted(Counter(client.tries for client in waited).items()))
        first = [client.waits[0] for client in waited]
        print(
            f"{way}, got 429: {len(waited)}, first Retry-After {min(first)} to {max(first)} s"
            f" (median {statistics.median(first):g}); tries until served: {tries}",
            flush=True,
        )


def percentile(values: list[float], which: int) -> float:
    return sorted(values)[min(len(values) * which // 100, len(values) - 1)]


# -- clients ------------------------------------------------------------------------------


def ask(port: int, token: str, seconds: float) -> dict[str, list[float]]:
    """Request the gated file and a page in turn for `seconds`; return milliseconds of each."""
    found: dict[str, list[float]] = {"gate": [], "page": []}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found["gate"].append(_answered(port, _request("HEAD", PATH, port, token)))
        found["page"].append(_answered(port, _request("GET", "/healthz", port, token)))
        time.sleep(0.002)
    return found


def _request(method: str, path: str, port: int, token: str) -> bytes:
    return (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    ).encode()


def _answered(port: int, request: bytes) -> float:
    began = time.monotonic()
    with create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(request)
        head = connection.recv(4096)
        took = (time.monotonic() - began) * 1000
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the gate answered {head[:60]!r}")
    return took


def download(port: int, token: str, count: int) -> list[Client]:
    """Run `count` downloads, each at RATE, in this thread until all have ended."""
    clients = [Client() for _ in range(count)]
    while not all(client.outcome for client in clients):
        now = time.monotonic()
        for client in clients:
            if client.connection is None and not client.outcome and now >= client.again_at:
                _begin(client, port, token)
        with selectors.DefaultSelector() as selector:
            for client in clients:
                if client.connection is not None and _is_due(client, now):
                    selector.register(client.connection, selectors.EVENT_READ, client)
            if selector.get_map():
                for key, _ in selector.select(0.05):
                    _read(key.data)
        time.sleep(0.02)
    return clients


def _begin(client: Client, port: int, token: str) -> None:
    connection = socket()
    connection.setsockopt(SOL_SOCKET, SO_RCVBUF, ROOM)
    connection.connect(("127.0.0.1", port))
    connection.sendall(_request("GET", PATH, port, token))
    connection.setblocking(False)
    client.connection, client.began, client.head, client.taken = connection, 0.0, b"", 0
    client.tries += 1


def _is_due(client: Client, now: float) -> bool:
    """True if the client may read more at its rate."""
    return not client.began or client.taken <= RATE * (now - client.began)


def _read(client: Client) -> None:
    assert client.connection is not None
    try:
        block = client.connection.recv(ROOM)
    except BlockingIOError:
        return
    except OSError as error:
        _end(client, f"error: {error}")
        return
    if client.began:
        client.taken += len(block)
    else:
        client.head += block
        if b"\r\n\r\n" in client.head:
            _judge(client)
    if client.outcome or client.connection is None:
        return
    if client.began and client.taken >= SIZE:
        _end(client, "whole")
    elif not block:
        _end(client, f"cut after {client.taken} bytes")


def _judge(client: Client) -> None:
    """Parse the response head: read the body, retry later, or give up."""
    head, _, body = client.head.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 200:
        client.began, client.taken = time.monotonic(), len(body)
        return
    lines = head.decode("latin-1").split("\r\n")
    retry_after = [
        line.partition(":")[2] for line in lines if line.lower().startswith("retry-after:")
    ]
    if status != 429 or not retry_after or client.tries >= TRIES:
        _end(client, f"refused: {status}")
        return
    client.waits.append(int(retry_after[0]))
    # One second more than Retry-After, like the Hub's client.
    client.again_at = time.monotonic() + int(retry_after[0]) + 1
    _close(client)


def _end(client: Client, outcome: str) -> None:
    client.outcome = outcome
    _close(client)


def _close(client: Client) -> None:
    if client.connection is not None:
        client.connection.close()
        client.connection = None


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:] or list(WAYS))
