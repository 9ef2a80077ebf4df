"""Run the events of the invented months in order, with the periodic tasks between them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.audit.merkle_log import sealer
from accounts.background.task_names import AccountsTask
from portal import celery_app
from weights.task_names import WeightsTask

#: Days from the first event to today.
DAYS = 150
_PERIODIC = [
    *[AccountsTask.CLOCKS, AccountsTask.SWEEP],
    *[WeightsTask.SWEEP, WeightsTask.SCRUB],
    AccountsTask.HEADS,
]


@dataclass(frozen=True, order=True)
class Moment:
    """A time in days and hours after the start."""

    day: int
    hour: float = 9.0

    def after(self, start: datetime) -> datetime:
        return start + timedelta(days=self.day, hours=self.hour)


@dataclass(frozen=True)
class Event:
    """Something that happens at a moment."""

    at: Moment
    happen: Callable[[], object]


def play(events: Iterable[Event], start: datetime, clock: Any) -> None:
    """Run each event at its time, and the periodic tasks every second day."""
    due = sorted(events, key=lambda event: event.at)
    for day in range(DAYS):
        for event in due:
            if event.at.day == day:
                clock.move_to(event.at.after(start))
                event.happen()
        if day % 2:
            clock.move_to(Moment(day, 23).after(start))
            _run_periodic_tasks()


def _run_periodic_tasks() -> None:
    sealer.seal()
    for task in _PERIODIC:
        celery_app.tasks[task].apply(throw=True)
