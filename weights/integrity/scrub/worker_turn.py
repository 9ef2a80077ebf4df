"""One scrub turn of a worker: survey the store if due, then read blobs for a while."""

import time
from collections.abc import Callable
from functools import partial

from django.utils import timezone

from accounts.background.periodic import run_steps
from weights.integrity import shutdown
from weights.integrity.scrub import store_survey, turns
from weights.integrity.scrub.reading import due, is_unreadable, read, seems_lost

#: Seconds after which a turn starts no further blob, to free its thread for other work.
TURN = 50.0


def work(worker: str = "") -> int:
    """Take a turn if one is free; returns the number of blobs read.

    If the store does not answer, the turn ends and the next one tries again.
    """
    with turns.taken(1) as turn:
        if turn is None:
            return 0
        steps: dict[str, Callable[[], int | None]] = {
            "survey": _survey,
            "reading": partial(_read, turn, worker),
        }
        return run_steps("scrub", steps).get("reading", 0)


def _survey() -> None:
    if store_survey.is_due(timezone.now()):
        store_survey.survey()


def _in_trouble() -> bool:
    """True if this may be the wrong store; reading it could quarantine every blob."""
    last = store_survey.last_one()
    return last is not None and bool(last.trouble)


def _read(turn: turns.Turn, worker: str) -> int:
    if _in_trouble():
        return 0
    end = time.monotonic() + TURN
    count = 0
    while time.monotonic() < end and not turn.lost and not shutdown.is_requested():
        blob = due(timezone.now()).first()
        if blob is None:
            break
        if not read(blob, turn.passed, worker):
            continue
        count += 1
        if is_unreadable(blob) or (seems_lost(blob) and _store_is_lost()):
            break
    return count


def _store_is_lost() -> bool:
    """Survey the store at once: if one blob is missing, most may be."""
    store_survey.survey()
    return _in_trouble()
