"""Bars on stderr for commands that take their time; stdout stays for the answer."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from celery import current_app
from tqdm import tqdm

from accounts.background.outages import BROKER_AWAY
from weights.integrity import verification
from weights.integrity.verification import Standing
from weights.publishing.models import Revision

#: Seconds between two looks at the rows.
POLL = 0.5
#: Seconds without a step forward after which the workers are asked for a sign of life.
PATIENCE = 10.0


class NoWorker(Exception):
    """No worker answers, so that waiting would not end."""


def bar(total: int, what: str) -> "tqdm[NoReturn]":
    """A progress bar in bytes; redrawn seldom where nobody watches it."""
    pace = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, desc=what, unit="B", unit_scale=True, file=sys.stderr, mininterval=pace
    )


@contextmanager
def bar_once_begun(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """A function that advances a bar, which appears with its first call and not before."""
    with ExitStack() as shown:
        bars: list[tqdm[NoReturn]] = []

        def advance(count: int) -> None:
            if not bars:
                bars.append(shown.enter_context(bar(total, what)))
            bars[0].update(count)

        yield advance


def wait_for_checks(revisions: Iterable[Revision]) -> Standing:
    """Show the verification of these revisions until it has ended; raises NoWorker."""
    watched = list(revisions)
    standing = verification.standing(watched)
    last_step = time.monotonic()
    with bar(standing.bytes_all, "Verifying") as shown:
        while standing.waiting:
            time.sleep(POLL)
            before, standing = standing, verification.standing(watched)
            shown.update(standing.bytes_done - shown.n)
            if standing != before:
                last_step = time.monotonic()
            elif time.monotonic() - last_step > PATIENCE:
                demand_worker()
                last_step = time.monotonic()
        shown.update(standing.bytes_done - shown.n)
    return standing


def demand_worker() -> None:
    """Raise NoWorker with the reason unless a worker answers."""
    try:
        if current_app.control.ping(timeout=2.0, limit=1):
            return
    except BROKER_AWAY as error:
        raise NoWorker("the broker does not answer") from error
    raise NoWorker("no worker is running")
