"""How fast do bytes leave through `resolve`, and what do they cost?

Run from the project's folder: `.venv/bin/python bench/serving.py [GIGABYTES]`. A file of
that size (4 if none is given) is published on an install of its own; gunicorn sends it
through the gate, nginx sends the same stored blob as a plain file. Both in turn for five
rounds: one stream that takes the whole, sixteen that take a sixteenth each.
The clients are processes of their own, the same on both sides. Needs twice the room.
"""

import os
import sys
import tempfile
import time
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from socket import create_connection

from support import install, report, servers
from support.report import Round
from support.servers import Server

ROUNDS = 5
STREAMS = 16
CLIENTS = 2  # processes
GIGABYTE = 10**9
Part = tuple[int, str, int, int]  # port, path, first byte, number of bytes


def main(gigabytes: float) -> None:
    size = int(gigabytes * GIGABYTE)
    with tempfile.TemporaryDirectory(prefix="bench-serving-") as name:
        folder = Path(name)
        ours, base = servers.free_port(), servers.free_port()
        install.prepare(folder, PUBLIC_URL=f"http://127.0.0.1:{ours}")
        paths = publish(folder, size)
        measure(folder, ours, base, paths, size)
        install.close()


def publish(folder: Path, size: int) -> tuple[str, str]:
    """The file's path through the gate, and its path as nginx has it."""
    from weights.models import File
    from weights.storage.protocol import blob_key

    source = folder / "source"
    source.mkdir()
    with (source / "weights.bin").open("wb") as stream:
        stream.write(os.urandom(1 << 20))
        stream.truncate(size)
    install.publish(source, "bench/large")
    (source / "weights.bin").unlink()
    key = blob_key(File.objects.get().sha256)
    return "/bench/large/resolve/main/weights.bin", f"/blobs/{key}"


def measure(folder: Path, ours: int, base: int, paths: tuple[str, str], size: int) -> None:
    from django.conf import settings

    from portal import processes

    blobs = Path(settings.WEIGHTS_STORAGE.removeprefix("file://"))
    command = servers.nginx(folder, base, {"/blobs/": blobs})
    if command is None:
        report.not_measured("download", "nginx is not installed")
        return
    with (
        servers.running(processes.web(f"127.0.0.1:{ours}"), ours) as gunicorn,
        servers.running(command, base) as nginx,
        get_context("spawn").Pool(CLIENTS) as clients,
    ):
        warm_up = [
            (server.port, path, 0, 10**6)
            for server, path in zip((gunicorn, nginx), paths, strict=True)
        ]
        clients.map(fetch, warm_up * CLIENTS, chunksize=1)
        for label, parts in (("one stream, whole", whole), ("16 streams, a part each", sixteenths)):
            compare(label, (gunicorn, nginx), paths, parts(size), clients)
        compare_first_byte((gunicorn, nginx), paths)


def whole(size: int) -> list[list[tuple[int, int]]]:
    return [[(0, size)]]


def sixteenths(size: int) -> list[list[tuple[int, int]]]:
    """Sixteen parts that make up the file, eight to each client process."""
    part = size // STREAMS
    parts = [(number * part, part) for number in range(STREAMS)]
    return [parts[number::CLIENTS] for number in range(CLIENTS)]


def compare(
    label: str,
    both: tuple[Server, Server],
    paths: tuple[str, str],
    work: list[list[tuple[int, int]]],
    clients: Pool,
) -> None:
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(ROUNDS):
        for server, path, found in zip(both, paths, rounds, strict=True):
            found.append(download(server, path, work, clients))
    report.line(
        f"download, {label}",
        "GB/s",
        rounds[0],
        "nginx, the same file",
        rounds[1],
        cpu_unit="GB",
        peak=both[0].peak_memory(),
    )


def download(server: Server, path: str, work: list[list[tuple[int, int]]], clients: Pool) -> Round:
    gigabytes = sum(length for parts in work for _, length in parts) / GIGABYTE
    jobs = [[(server.port, path, first, length) for first, length in parts] for parts in work]
    cpu, started = server.cpu(), time.monotonic()
    clients.map(fetch_all, jobs, chunksize=1)
    seconds = time.monotonic() - started
    return Round(gigabytes / seconds, (server.cpu() - cpu) / gigabytes)


def compare_first_byte(both: tuple[Server, Server], paths: tuple[str, str]) -> None:
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(ROUNDS):
        for server, path, found in zip(both, paths, rounds, strict=True):
            cpu, started = server.cpu(), time.monotonic()
            for _ in range(50):
                fetch((server.port, path, 0, 1))
            seconds = time.monotonic() - started
            found.append(Round(seconds / 50 * 1000, (server.cpu() - cpu) / 50))
    report.line(
        "first byte, a connection each",
        "ms",
        rounds[0],
        "nginx, the same file",
        rounds[1],
        cpu_unit="request",
        peak=both[0].peak_memory(),
        smaller_is_better=True,
    )


# -- clients ------------------------------------------------------------------------------


def fetch_all(parts: list[Part]) -> None:
    """Fetch the parts at once, a thread each."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(fetch, parts))


def fetch(part: Part) -> None:
    """Read a part and throw it away; fails when fewer bytes arrive than were asked for."""
    port, path, first, length = part
    with create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Range: bytes={first}-{first + length - 1}\r\n\r\n".encode()
        )
        buffer = bytearray(1 << 20)
        head = b""
        while b"\r\n\r\n" not in head:
            received = connection.recv(65536)
            if not received:
                raise SystemExit(f"no answer to {path}: {head!r}")
            head += received
        status = head.split(b" ", 2)[1]
        if status != b"206":
            raise SystemExit(f"{path} was answered {status!r}")
        left = length - len(head.partition(b"\r\n\r\n")[2])
        while left > 0:
            count = connection.recv_into(buffer)
            if not count:
                raise SystemExit(f"{left} bytes of {path} never came")
            left -= count


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 4)
