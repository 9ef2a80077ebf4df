"""Measure the cost of metrics on the hot path: HEAD of `resolve` with and without counting.

Run from the project's folder: `.venv/bin/python bench/metrics.py [--postgres]`. One thread calls
the WSGI application of both sides in turns of TURN requests, and prints the CPU time per request.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import resolve
from support import counters, install
from support.postgres import database
from support.usage import show_help

TURN, TURNS = 50, 60


def main(arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-metrics-") as name:
        folder = Path(name)
        with database(folder, arguments) as environment, counters.running(folder) as counted:
            # Read when the counters are imported; makes them count in a shared file.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = name
            environment |= counted | {"METRICS_TOKEN": "0123456789abcdef" * 2}
            install.prepare(folder, **environment)
            for case in resolve.fill(folder):
                compare(case)
            install.close()


def compare(case: resolve.Case) -> None:
    """Print the median CPU time of both sides, and the median difference of neighbouring turns."""
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    from weights.gate import metrics

    counting = WSGIHandler()
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "portal.metrics" not in name]
    plain, decisions = WSGIHandler(), metrics.decisions
    costs: dict[bool, list[float]] = {True: [], False: []}
    for number in range(TURNS):
        # The second side finds the rows in memory.
        sides = ((True, counting), (False, plain))
        for is_counting, handler in sides if number % 2 else sides[::-1]:
            metrics.decisions = decisions if is_counting else _Uncounted
            costs[is_counting].append(turn(handler, case, number))
    metrics.decisions = decisions
    settings.MIDDLEWARE = ["portal.metrics.requests.MetricsMiddleware", *settings.MIDDLEWARE]
    with_, without = (statistics.median(costs[side]) for side in (True, False))
    more = statistics.median(a - b for a, b in zip(costs[True], costs[False], strict=True))
    print(
        f"HEAD resolve, {case.label}: {with_:.0f} µs CPU with metrics, {without:.0f} without;"
        f" {more:+.1f} µs ({more / without:+.1%})",
        flush=True,
    )


class _Uncounted:
    """Replaces the counters on the side without metrics."""

    def __init__(self, *labels: str) -> None:
        pass

    def inc(self) -> None:
        pass


def turn(handler: Callable[..., Any], case: resolve.Case, number: int) -> float:
    """The CPU time per request in µs, the mean of TURN requests."""
    from django.test import RequestFactory

    environs = []
    for index in range(number * TURN, (number + 1) * TURN):
        request = RequestFactory().head(case.paths[index % len(case.paths)])
        if case.tokens:
            token = case.tokens[index % len(case.tokens)]
            request.environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        request.environ["HTTP_HOST"] = "127.0.0.1"
        environs.append(request.environ)
    began = time.thread_time()
    for environ in environs:
        handler(environ, lambda *_: None).close()
    return (time.thread_time() - began) / TURN * 1e6


if __name__ == "__main__":
    show_help(__doc__)
    main(sys.argv[1:])
