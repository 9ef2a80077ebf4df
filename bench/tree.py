"""Measure a listing of 992 files, warm, against serialising records to JSON.

Run from the project's folder: `.venv/bin/python bench/tree.py [--postgres]`. The database is
SQLite, or with `--postgres` a server started for the run. Both sides run in turn for five rounds,
first in this process (the complete WSGI application against a bare view without middleware and
access checks), then over HTTP, where both sides include the time of server and client.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

from support import install, report, servers, wsgi
from support.postgres import database
from support.report import Round
from support.usage import show_help

ROUNDS = 5
FILES = 992
TIMES = 15  # of the base per round; the portal runs more, so that both take equally long
ADDRESS = "/api/models/bench/gated/tree/main"


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-tree-") as name:
        folder = Path(name)
        with database(folder, arguments) as environment:
            port = servers.free_port()
            environment |= {"PUBLIC_URL": f"http://127.0.0.1:{port}", "WEB_WORKERS": "1"}
            environment |= {"BENCH_CHECKPOINT": "bench/gated"}
            install.prepare(folder, **environment)
            install.publish(install.many_files(folder / "source", FILES), "bench/gated", "reviewed")
            (token,) = install.tokens_with_access(1)
            in_process(port, token)
            over_http(port, token)
            install.close()


def in_process(port: int, token: str) -> None:
    from comparisons.records import tree
    from django.db import connection
    from django.test import RequestFactory

    request = RequestFactory().get("/")
    ours = partial(wsgi.client(port, token), "GET", ADDRESS)
    if ours() != tree(request).content:
        raise SystemExit("the two sides differ")
    rounds: tuple[list[Round], list[Round]] = ([], [])
    for _ in range(ROUNDS):
        rounds[0].append(timed(ours, TIMES * 30))
        rounds[1].append(timed(lambda: tree(request), TIMES))
    report.line(
        f"tree of {FILES} files, in process, {connection.vendor}",
        "listings/s",
        rounds[0],
        "records to JsonResponse",
        rounds[1],
        cpu_unit="listing",
        peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def over_http(port: int, token: str) -> None:
    from django.db import connection

    from portal import processes

    base_port = servers.free_port()
    command = processes.web(f"127.0.0.1:{port}")
    base = [word.replace(f":{port}", f":{base_port}") for word in command]
    base[base.index("portal.wsgi:application")] = "comparisons.records_server:application"
    with (
        servers.running(command, port) as ours,
        servers.running(base, base_port, PYTHONPATH=str(Path(__file__).parent)) as records,
    ):
        rounds: tuple[list[Round], list[Round]] = ([], [])
        for server in (ours, records):
            fetch(server.port, token, 20)
        for _ in range(ROUNDS):
            for server, times, found in (
                (ours, TIMES * 10, rounds[0]),
                (records, TIMES, rounds[1]),
            ):
                cpu = server.cpu()
                seconds = 1 / timed(lambda s=server, n=times: fetch(s.port, token, n), 1).value
                found.append(Round(times / seconds, (server.cpu() - cpu) / times))
        report.line(
            f"tree of {FILES} files, HTTP, one connection, {connection.vendor}",
            "listings/s",
            rounds[0],
            "records to JsonResponse",
            rounds[1],
            cpu_unit="listing",
            peak=ours.peak_memory(),
        )


def timed(work: Callable[[], object], times: int) -> Round:
    cpu, started = time.process_time(), time.monotonic()
    for _ in range(times):
        work()
    seconds = time.monotonic() - started
    return Round(times / seconds, (time.process_time() - cpu) / times)


def fetch(port: int, token: str, times: int) -> None:
    with closing(HTTPConnection("127.0.0.1", port)) as connection:
        for _ in range(times):
            connection.request("GET", ADDRESS, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            if len(answer.read()) < FILES * 100 or answer.status != 200:
                raise SystemExit(f"answered {answer.status}")


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:])
