"""Measure the cost of the gate: HEAD of `resolve` against a trivial Django view.

Run from the project's folder: `.venv/bin/python bench/resolve.py [--postgres]`. Both sides are one
gunicorn process with the same number of threads. Eight connections request random files with
random tokens, in turn for five rounds. The database is SQLite, that of `DATABASE_URL`, or with
`--postgres` a server started for the run (from requirements-dev.txt).
"""

import os
import random
import statistics
import sys
import tempfile
import time
from http.client import HTTPConnection
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import NamedTuple

from support import counters, install, report, servers
from support.postgres import database
from support.report import Round
from support.servers import Server
from support.usage import show_help

ROUNDS = 5
SECONDS = 3.0  # per side and round
CONNECTIONS = 8
PEOPLE = 200
FILES = 992


class Case(NamedTuple):
    """Requests of one kind: paths and tokens, if any."""

    label: str
    paths: list[str]
    tokens: list[str]
    method: str = "HEAD"


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-resolve-") as name:
        folder = Path(name)
        with database(folder, arguments) as environment, counters.running(folder) as counted:
            port = servers.free_port()
            environment |= counted | {"PUBLIC_URL": f"http://127.0.0.1:{port}", "WEB_WORKERS": "1"}
            install.prepare(folder, **environment)
            cases = fill(folder)
            measure(folder, port, cases)
            install.close()


def fill(folder: Path) -> list[Case]:
    """Publish an open and a gated checkpoint of 992 files each, and create people with access."""
    source = install.many_files(folder / "source", FILES)
    names = [path.name for path in source.iterdir()]
    install.publish(source, "bench/open")
    install.publish(source, "bench/gated", "reviewed")
    tokens = install.tokens_with_access(PEOPLE)
    return [
        Case("open, anonymous", [f"/bench/open/resolve/main/{name}" for name in names], []),
        Case("gated, token", [f"/bench/gated/resolve/main/{name}" for name in names], tokens),
        Case("gated, refused", [f"/bench/gated/resolve/main/{name}" for name in names], []),
    ]


def measure(folder: Path, port: int, cases: list[Case]) -> None:
    from django.db import connection

    from portal import processes

    base_port = servers.free_port()
    command = processes.web(f"127.0.0.1:{port}")
    base = [word.replace(f":{port}", f":{base_port}") for word in command]
    base[base.index("portal.wsgi:application")] = "comparisons.trivial:application"
    config = base.index("--config")
    del base[config : config + 2]  # it reads the portal's settings
    with (
        servers.running(command, port) as ours,
        servers.running(base, base_port, PYTHONPATH=str(Path(__file__).parent)) as trivial,
        get_context("spawn").Pool(1) as clients,
    ):
        for case in cases:
            compare(case, connection.vendor, ours, trivial, clients)


def compare(case: Case, vendor: str, ours: Server, trivial: Server, clients: Pool) -> None:
    rounds: tuple[list[Round], list[Round]] = ([], [])
    slowest = []
    clients.apply(load, (ours.port, case, 1.0))
    for _ in range(ROUNDS):
        for server, found in ((ours, rounds[0]), (trivial, rounds[1])):
            cpu = server.cpu()
            waits = clients.apply(load, (server.port, case, SECONDS))
            found.append(Round(len(waits) / SECONDS, (server.cpu() - cpu) / len(waits)))
            if server is ours:
                slowest.append(statistics.quantiles(waits, n=100)[98] * 1000)
    report.line(
        f"HEAD resolve, {case.label}, {vendor}",
        "requests/s",
        rounds[0],
        "trivial Django view",
        rounds[1],
        cpu_unit="request",
        peak=ours.peak_memory(),
    )
    print(f"  p99 at {CONNECTIONS} connections: {statistics.median(slowest):.1f} ms", flush=True)


# -- the client, in its own process ----------------------------------------------------


def load(port: int, case: Case, seconds: float) -> list[float]:
    """Request random paths on eight persistent connections; return seconds per response."""
    from concurrent.futures import ThreadPoolExecutor

    until = time.monotonic() + seconds
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        jobs = [threads.submit(ask, port, case, until, seed) for seed in range(CONNECTIONS)]
        return [wait for job in jobs for wait in job.result()]


def ask(port: int, case: Case, until: float, seed: int) -> list[float]:
    """Request random paths on one connection until a time; return seconds per response."""
    chosen = random.Random(seed * os.getpid())
    connection = HTTPConnection("127.0.0.1", port)
    waits = []
    while (started := time.monotonic()) < until:
        token = chosen.choice(case.tokens) if case.tokens else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(case.method, chosen.choice(case.paths), headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status not in {200, 401}:
            raise SystemExit(f"answered {answer.status} after {len(waits)} requests")
        waits.append(time.monotonic() - started)
    connection.close()
    return waits


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:])
