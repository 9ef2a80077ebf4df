"""One line of the page, and ages in words and numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.timesince import timesince

#: Mails and blobs that wait longer than this are late.
PATIENCE = timedelta(hours=1)
#: Maximum number of failing items listed individually.
ITEMS_SHOWN = 5


@dataclass(frozen=True)
class Line:
    """One line of the page; `state` is ok, late or alarm.

    `values` are its numbers for `/metrics`, under the names in `portal.metrics.database`.
    """

    name: str
    state: str
    text: str
    address: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def word(self) -> str:
        return {"ok": "Fine", "late": "Late", "alarm": "Alarm"}[self.state]


def waiting_text(count: int, oldest: datetime | None, now: datetime) -> str:
    return f"{count}, the oldest for {age_of(oldest, now)}" if oldest else str(count)


def seconds(moment: datetime | None, now: datetime) -> float:
    """Seconds since `moment`; 0 if nothing waits."""
    return (now - moment).total_seconds() if moment else 0.0


def age_of(moment: datetime, now: datetime) -> str:
    return timesince(moment, now, depth=1).replace("\xa0", " ")
