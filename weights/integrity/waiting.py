"""Wait in a command until the worker has verified revisions."""

import time
from collections.abc import Iterable

from celery import current_app

from accounts.background.outages import BROKER_ERRORS
from accounts.management.progress_bars import bar
from weights.integrity import verification
from weights.integrity.verification import VerificationProgress
from weights.publishing.models import Revision

#: Seconds between two queries of the progress.
POLL = 0.5
#: Seconds without progress after which the workers are pinged.
PATIENCE = 10.0


class NoWorker(Exception):
    """No worker answers, so waiting would not end."""


def until_verified(revisions: Iterable[Revision]) -> VerificationProgress:
    """Show the progress of these revisions' verification until it ends; raises NoWorker."""
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
