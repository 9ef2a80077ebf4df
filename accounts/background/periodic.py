"""Periodic work in isolation: a step or an item that fails stops no other.

A failure of a step is noted in its sweep's Heartbeat, and the step runs again in the next sweep.
A failure of an item is a FailedItem: it is tried again with exponential backoff. The health page
shows both, with the last error.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, models
from django.utils import timezone

from accounts.background.models import FailedItem, Heartbeat
from accounts.background.queueing import queue_now
from accounts.web.sanitize import log_line

log = logging.getLogger(__name__)

T = TypeVar("T", bound=int | models.Model)


def run_steps(name: str, steps: Mapping[str, Callable[[], int | None]]) -> dict[str, int]:
    """Run each step of a sweep; returns how many rows each has changed, of those that ended."""
    done: dict[str, int] = {}
    errors: dict[str, str] = {}
    for step, run in steps.items():
        try:
            done[step] = run() or 0
        except Exception as error:  # whatever is wrong with one step, the others go on
            errors[step] = describe(error)
            log.exception("the sweep %s could not finish: %s: %s", name, step, errors[step])
            _drop_broken_connection()
    Heartbeat.objects.note(name, done, errors)
    return done


def each(step: str, items: Iterable[T], act: Callable[[T], int | None]) -> int:
    """Do `act` to each item (a row or its id) that is not postponed; the sum of what it returns."""
    now = timezone.now()
    failing: dict[int, datetime] | None = None
    acted = 0
    for item in items:
        if failing is None:  # a sweep that finds nothing to do asks nothing more
            rows = FailedItem.objects.filter(step=step)
            failing = dict(rows.values_list("item", "next_attempt_at"))
        pk: int = item if isinstance(item, int) else item.pk
        if failing.get(pk, now) > now:
            continue
        try:
            acted += act(item) or 0
        except Exception as error:  # whatever is wrong with one item, the others go on
            _drop_broken_connection()
            FailedItem.objects.begin(step, pk)
            _fail(step, pk, error)
        else:
            if pk in failing:
                FailedItem.objects.succeed(step, pk)
    return acted


def attempt(task: str, pk: int, act: Callable[[int], object]) -> None:
    """Run a task on one item unless it is postponed.

    The attempt is counted before it is made, so that an item which kills its worker backs off
    too. An exception ends here: the sweep of the task queues the item again when it is due.
    """
    if not FailedItem.objects.begin(task, pk):
        return
    try:
        act(pk)
    except Exception as error:  # the queue goes on
        _drop_broken_connection()
        _fail(task, pk, error)
    else:
        FailedItem.objects.succeed(task, pk)


def ready(step: str, rows: "models.QuerySet[Any]") -> "models.QuerySet[Any]":
    """The rows that are not postponed: those that fail must not fill the batch of a sweep."""
    return rows.exclude(pk__in=FailedItem.objects.postponed(step))


def queue_each(task: str, rows: "models.QuerySet[Any]", most: int) -> bool:
    """Queue `task` for up to `most` of these rows; False where the broker does not answer."""
    ids = ready(task, rows).values_list("pk", flat=True)[:most]
    return all(queue_now(task, pk) for pk in ids)


def describe(error: Exception) -> str:
    """An error in one line, for the health page; its traceback is in the log."""
    first = str(error).strip().partition("\n")[0]
    return log_line(f"{type(error).__name__}: {first}")[:300]


def _fail(step: str, pk: int, error: Exception) -> None:
    log.exception("%s failed for row %s: %s", step, pk, describe(error))
    FailedItem.objects.fail(step, pk, describe(error))


def _drop_broken_connection() -> None:
    """Let the next statement connect anew where the database has hung up."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
