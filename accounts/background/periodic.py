"""Isolates periodic work: a failing step or item does not stop the others.

A failed step is stored in its sweep's Heartbeat and runs again in the next sweep. A failed item
is stored as a FailedItem and retried with exponential backoff. The health page shows both, with
the last error.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db import connection, models, transaction
from django.utils import timezone

from accounts.background.models import FailedItem, Heartbeat
from accounts.background.queueing import queue_now
from accounts.background.task_names import TaskName
from accounts.web.sanitize import log_line

log = logging.getLogger(__name__)

T = TypeVar("T", bound=int | models.Model)
R = TypeVar("R", bound=models.Model)


def run_steps(name: str, steps: Mapping[str, Callable[[], int | None]]) -> dict[str, int]:
    """Run each step of a sweep. Returns the number of rows that each finished step changed."""
    done: dict[str, int] = {}
    errors: dict[str, str] = {}
    for step, run in steps.items():
        try:
            done[step] = run() or 0
        except Exception as error:  # the other steps must run
            errors[step] = describe(error)
            log.exception("the sweep %s could not finish: %s: %s", name, step, errors[step])
            _drop_broken_connection()
    Heartbeat.objects.note(name, done, errors)
    return done


def each(step: str, items: Iterable[T], act: Callable[[T], int | None]) -> int:
    """Call `act` for each item (row or id) that is not postponed. Returns the sum of results."""
    now = timezone.now()
    failing: dict[int, datetime] | None = None
    acted = 0
    for item in items:
        if failing is None:  # a sweep without items needs no query
            rows = FailedItem.objects.filter(step=step)
            failing = dict(rows.values_list("item", "next_attempt_at"))
        pk: int = item if isinstance(item, int) else item.pk
        if failing.get(pk, now) > now:
            continue
        try:
            acted += act(item) or 0
        except Exception as error:  # the other items must run
            _drop_broken_connection()
            FailedItem.objects.begin(step, pk)
            _fail(step, pk, error)
        else:
            if pk in failing:
                FailedItem.objects.succeed(step, pk)
    return acted


def each_locked(step: str, rows: "models.QuerySet[R]", act: Callable[[R], bool]) -> int:
    """Call `act` for each row, locked, in its own transaction.

    Skips rows that another worker has locked or that are no longer among `rows`. Returns how
    often `act` returned true.
    """

    @transaction.atomic
    def act_locked(pk: int) -> bool:
        row = rows.select_for_update(skip_locked=True, of=("self",)).filter(pk=pk).first()
        return row is not None and act(row)

    return each(step, list(rows.order_by().values_list("pk", flat=True).distinct()), act_locked)


def attempt(task: TaskName, pk: int, act: Callable[[int], object]) -> None:
    """Run a task on one item unless it is postponed.

    The attempt is counted first, so an item that kills its worker is postponed too. Exceptions are
    caught: the task's sweep queues the item again when it is due.
    """
    if not FailedItem.objects.begin(task, pk):
        return
    try:
        act(pk)
    except Exception as error:  # other tasks must run
        _drop_broken_connection()
        _fail(task, pk, error)
    else:
        FailedItem.objects.succeed(task, pk)


def ready(step: str, rows: "models.QuerySet[Any]") -> "models.QuerySet[Any]":
    """Return the rows that are not postponed: failing rows must not fill a sweep's batch."""
    return rows.exclude(pk__in=FailedItem.objects.postponed(step))


def queue_each(task: TaskName, rows: "models.QuerySet[Any]", most: int) -> bool:
    """Queue `task` for up to `most` rows. Returns False if the broker is unavailable."""
    ids = ready(task, rows).values_list("pk", flat=True)[:most]
    return all(queue_now(task, pk) for pk in ids)


def describe(error: Exception) -> str:
    """Return the error on one line of at most 300 characters, for the health page."""
    first = str(error).strip().partition("\n")[0]
    return log_line(f"{type(error).__name__}: {first}")[:300]


def _fail(step: str, pk: int, error: Exception) -> None:
    log.exception("%s failed for row %s: %s", step, pk, describe(error))
    FailedItem.objects.fail(step, pk, describe(error))


def _drop_broken_connection() -> None:
    """Close a connection that the database closed, so that the next statement reconnects."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
