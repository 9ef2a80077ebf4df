"""Progress bars on stderr for long commands; stdout is for the result."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import NoReturn

from celery import current_app
from tqdm import tqdm

from accounts.background.outages import BROKER_ERRORS
from weights.integrity import verification
from weights.integrity.verification import VerificationProgress
from weights.publishing.models import Revision

#: Seconds between two queries of the progress.
POLL = 0.5
#: Seconds without progress after which the workers are pinged.
PATIENCE = 10.0


class NoWorker(Exception):
    """No worker answers, so waiting would not end."""


def bar(total: int, what: str) -> "tqdm[NoReturn]":
    """A progress bar in bytes; redrawn rarely if stderr is not a terminal."""
    pause = 0.1 if sys.stderr.isatty() else 10.0
    return tqdm(
        total=total, desc=what, unit="B", unit_scale=True, file=sys.stderr, mininterval=pause
    )


@contextmanager
def lazy_bar(total: int, what: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that advances a bar, which appears with the first call."""
    with ExitStack() as stack:
        bars: list[tqdm[NoReturn]] = []

        def advance(count: int) -> None:
            if not bars:
                bars.append(stack.enter_context(bar(total, what)))
            bars[0].update(count)

        yield advance


def wait_for_checks(revisions: Iterable[Revision]) -> VerificationProgress:
    """Show the verification of these revisions until it has ended; raises NoWorker."""
    watched = list(revisions)
    progress = verification.progress_of_revisions(watched)
    changed_at = time.monotonic()
    with bar(progress.bytes_all, "Verifying") as shown:
        while progress.waiting:
            time.sleep(POLL)
            before, progress = progress, verification.progress_of_revisions(watched)
            shown.update(progress.bytes_done - shown.n)
            if progress != before:
                changed_at = time.monotonic()
            elif time.monotonic() - changed_at > PATIENCE:
                demand_worker()
                changed_at = time.monotonic()
        shown.update(progress.bytes_done - shown.n)
    return progress


def demand_worker() -> None:
    """Raise NoWorker with the reason unless a worker answers."""
    try:
        if current_app.control.ping(timeout=2.0, limit=1):
            return
    except BROKER_ERRORS as error:
        raise NoWorker("the broker does not answer") from error
    raise NoWorker("no worker is running")
