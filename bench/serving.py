"""Measure throughput and CPU time of downloads from a signed URL.

Run from the project's folder: `.venv/bin/python bench/serving.py [GIGABYTES [WAY…]]`. A file of
that size (default: 2) is published, and each WAY (default: all) is compared with what one would
use without a portal:

- `built-in`: a file link with gunicorn, against nginx with `secure_link` and its fastest settings;
- `nginx`: a file link with deploy/nginx.conf and X-Accel-Redirect, against `secure_link` in the
  same nginx with the same settings;
- `s3`: a redirect to a presigned URL, against that URL requested directly. A quarter of the size.

Both sides run in turn for five rounds, with the same client processes: one stream of the whole
file, sixteen streams of a range each, and the first byte on a new connection. Needs twice the
file's size on disk.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from socket import create_connection
from urllib.parse import urlsplit

from support import fronts, install, report, servers
from support.report import Round
from support.servers import Server
from support.usage import show_help

ROUNDS = 5
STREAMS = 16
CLIENTS = 2  # processes
FIRST_BYTES = 40  # requests per round
GIGABYTE = 10**9
Part = tuple[int, str, int, int]  # port, path, first byte, number of bytes


@dataclass(frozen=True)
class Side:
    """One way to download the file, and the servers whose CPU time counts."""

    label: str
    port: int
    path: str
    servers: list[Server]

    def cpu(self) -> float:
        return sum(server.cpu() for server in self.servers)

    def peak(self) -> int:
        return max((server.peak_memory() for server in self.servers), default=0)


def main(gigabytes: float, ways: list[str]) -> None:
    size = int(gigabytes * GIGABYTE)
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        portal = servers.free_port()
        install.prepare(folder, PUBLIC_URL=f"http://127.0.0.1:{portal}")
        sha256 = publish(folder, "bench/large", size)
        with get_context("spawn").Pool(CLIENTS) as clients:
            for way in ways:
                with WAYS[way](folder, portal, sha256, size) as sides:
                    if sides is not None:
                        measure(way, *sides, size // 4 if way == "s3" else size, clients)
        install.close()


def publish(folder: Path, repo_id: str, size: int) -> str:
    """Publish one file of `size` bytes; return its SHA-256."""
    from weights.publishing.models import File

    source = folder / "source"
    source.mkdir()
    with (source / "weights.bin").open("wb") as stream:
        stream.write(os.urandom(1 << 20))
        stream.truncate(size)
    install.publish(source, repo_id)
    (source / "weights.bin").unlink()
    return File.objects.get().sha256


def file_link() -> str:
    """Path and query of a file link."""
    from weights.delivery import file_links
    from weights.gate.caller import ANONYMOUS

    parts = urlsplit(file_links.issue(ANONYMOUS, "bench/large", "main", "weights.bin"))
    return f"{parts.path}?{parts.query}"


def blobs() -> Path:
    from django.conf import settings

    return Path(settings.WEIGHTS_STORAGE.removeprefix("file://"))


def key_of(sha256: str) -> str:
    from weights.storage.protocol import blob_key

    return blob_key(sha256)


def web(port: int) -> list[str]:
    from portal import processes

    return processes.web(f"127.0.0.1:{port}")


# -- the ways -----------------------------------------------------------------------------

Sides = tuple[Side, Side]


@contextmanager
def built_in(folder: Path, portal: int, sha256: str, size: int) -> Iterator[Sides | None]:
    base = servers.free_port()
    command = servers.nginx(folder, base, {}, fronts.location(blobs()))
    if command is None:
        report.not_measured("built-in", "nginx is not installed")
        yield None
        return
    with (
        servers.running(web(portal), portal) as gunicorn,
        servers.running(command, base) as nginx,
    ):
        yield (
            Side("built-in", portal, file_link(), [gunicorn]),
            Side("nginx secure_link", base, fronts.signed(key_of(sha256)), [nginx]),
        )


@contextmanager
def behind_nginx(folder: Path, portal: int, sha256: str, size: int) -> Iterator[Sides | None]:
    front = servers.free_port()
    command = fronts.command(folder, front, portal, blobs())
    if command is None:
        report.not_measured("behind nginx", "nginx is not installed")
        yield None
        return
    with (
        servers.running(web(portal), portal, ACCEL_LOCATION="/blobs/") as gunicorn,
        servers.running(command, front) as nginx,
    ):
        yield (
            Side("behind nginx", front, file_link(), [gunicorn, nginx]),
            Side("nginx secure_link", front, fronts.signed(key_of(sha256)), [gunicorn, nginx]),
        )


@contextmanager
def on_s3(folder: Path, portal: int, sha256: str, size: int) -> Iterator[Sides | None]:
    """Counts only the portal's CPU time, since the store's is the same on both sides."""
    from tests.support.servers import s3

    address = f"s3://{s3.BUCKET}/bench"
    os.environ |= {
        "AWS_ACCESS_KEY_ID": s3.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with ExitStack() as running:
        store = s3.start(folder / "s3")
        running.callback(store.stop)
        key = f"bench/{key_of(sha256)}"
        store.client().upload_file(str(blobs() / key_of(sha256)), s3.BUCKET, key)
        environment = {"WEIGHTS_STORAGE": address, "S3_ENDPOINT_URL": store.endpoint}
        gunicorn = running.enter_context(servers.running(web(portal), portal, **environment))
        wanted = {"Bucket": s3.BUCKET, "Key": key}
        signed = urlsplit(store.client().generate_presigned_url("get_object", Params=wanted))
        yield (
            Side("302 to S3", portal, file_link(), [gunicorn]),
            Side("S3 direct", signed.port or 0, f"{signed.path}?{signed.query}", []),
        )


WAYS = {"built-in": built_in, "nginx": behind_nginx, "s3": on_s3}


# -- measuring ----------------------------------------------------------------------------


def measure(way: str, ours: Side, base: Side, size: int, clients: Pool) -> None:
    both = (ours, base)
    warm_up = [(side.port, side.path, 0, 10**6) for side in both]
    clients.map(fetch, warm_up * 2 * STREAMS, chunksize=1)
    for label, work in (("one stream, whole", whole), ("16 streams, a range each", sixteenths)):
        compare(f"{way}, {label}", both, work(size), clients)
    compare_first_byte(f"{way}, first byte on a new connection", both)


def whole(size: int) -> list[list[tuple[int, int]]]:
    return [[(0, size)]]


def sixteenths(size: int) -> list[list[tuple[int, int]]]:
    """Split the file into sixteen ranges, eight for each client process."""
    part = size // STREAMS
    parts = [(number * part, part) for number in range(STREAMS)]
    return [parts[number::CLIENTS] for number in range(CLIENTS)]


def compare(label: str, both: Sides, work: list[list[tuple[int, int]]], clients: Pool) -> None:
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(ROUNDS):
        for side, found in zip(both, rounds, strict=True):
            found.append(download(side, work, clients))
    report.line(
        label,
        "GB/s",
        rounds[0],
        both[1].label,
        rounds[1],
        cpu_unit="GB",
        peak=both[0].peak(),
    )


def download(side: Side, work: list[list[tuple[int, int]]], clients: Pool) -> Round:
    gigabytes = sum(length for parts in work for _, length in parts) / GIGABYTE
    jobs = [[(side.port, side.path, first, length) for first, length in parts] for parts in work]
    cpu, started = side.cpu(), time.monotonic()
    clients.map(fetch_all, jobs, chunksize=1)
    seconds = time.monotonic() - started
    return Round(gigabytes / seconds, (side.cpu() - cpu) / gigabytes)


def compare_first_byte(label: str, both: Sides) -> None:
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(ROUNDS):
        for side, found in zip(both, rounds, strict=True):
            cpu = side.cpu()
            waits = [fetch((side.port, side.path, 0, 1)) for _ in range(FIRST_BYTES)]
            spent = (side.cpu() - cpu) / FIRST_BYTES
            found.append(Round(statistics.median(waits) * 1000, spent))
    report.line(
        label,
        "ms",
        rounds[0],
        both[1].label,
        rounds[1],
        cpu_unit="request",
        peak=both[0].peak(),
        smaller_is_better=True,
    )
    report.difference(label, "ms", rounds[0], rounds[1])


# -- clients ------------------------------------------------------------------------------


def fetch_all(parts: list[Part]) -> None:
    """Download all parts concurrently, with a thread for each."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(fetch, parts))


def fetch(part: Part) -> float:
    """Download a part and discard it; return seconds to the first byte, including redirects.

    Exits if fewer bytes arrive than were requested.
    """
    port, path, first, length = part
    began = time.monotonic()
    for _ in range(2):
        with create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(
                f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                f"Range: bytes={first}-{first + length - 1}\r\n\r\n".encode()
            )
            head = bytearray()
            while b"\r\n\r\n" not in head:
                received = connection.recv(65536)
                if not received:
                    raise SystemExit(f"no answer to {path}: {head!r}")
                head += received
            status, headers, start = _parsed(bytes(head))
            if status == 302:
                to = urlsplit(headers["location"])
                port, path = to.port or 80, f"{to.path}?{to.query}"
                continue
            if status != 206:
                raise SystemExit(f"{path} was answered {status}")
            waited = _take(connection, length - len(start), began, bool(start))
            return waited
    raise SystemExit(f"{path} redirects in a circle")


def _parsed(head: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and the first bytes of the body."""
    text, _, body = head.partition(b"\r\n\r\n")
    first, *lines = text.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (n.partition(":") for n in lines)}
    return int(first.split(" ", 2)[1]), headers, body


def _take(connection: object, left: int, began: float, has_first: bool) -> float:
    """Read `left` bytes; return the seconds from `began` to the first byte of the body."""
    waited = time.monotonic() - began if has_first else 0.0
    buffer = bytearray(1 << 20)
    while left > 0:
        count = connection.recv_into(buffer)  # type: ignore[attr-defined]
        if not count:
            raise SystemExit(f"{left} bytes are missing")
        waited = waited or time.monotonic() - began
        left -= count
    return waited


if __name__ == "__main__":
    show_help(__doc__)
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 2, sys.argv[2:] or list(WAYS))
