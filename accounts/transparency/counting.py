"""Counts as they are, before anything is hidden. Never shown to anybody as they stand."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime

from django.conf import settings
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.state_machine import WAITING_STATES
from accounts.grants.models import Grant
from accounts.review import working_days
from accounts.review.models import Decision

#: What an application that was sent can have come to; these exclude each other.
OUTCOMES = ("approved", "rejected", "withdrawn", "lapsed")
STATES = tuple(Grant.State.values)
AGES = ("on_time", "overdue", "alarm")


@dataclass
class Row:
    """The ended applications of one tier that were first sent in one month (UTC).

    `returned`: those returned at least once. `waits`: working days to the first answer of
    those that had one. `why`: verdict -> reason code -> applications.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    returned: int = 0
    waits: list[int] = field(default_factory=list)
    why: dict[str, Counter[str]] = field(
        default_factory=lambda: {"reject": Counter(), "return": Counter()}
    )


@dataclass
class Counts:
    rows: dict[tuple[str, str], Row]  # (month, tier)
    queue: dict[str, Counter[str]]  # tier -> age -> applications that wait
    grants: dict[str, Counter[str]]  # tier -> state -> grants


def count() -> Counts:
    """Four queries."""
    return Counts(_rows(), _queue(), _grants())


def _rows() -> dict[tuple[str, str], Row]:
    rows: dict[tuple[str, str], Row] = defaultdict(Row)
    placed: dict[int, Row] = {}
    ended = Application.objects.filter(status__in=OUTCOMES, submitted_at__isnull=False)
    facts = ended.values_list("pk", "tier__slug", "status", "submitted_at", "answered_at")
    for pk, tier, status, sent, answered in facts.iterator():
        assert sent is not None  # filtered above
        row = placed[pk] = rows[f"{sent:%Y-%m}", tier]
        row.outcomes[status] += 1
        if answered is not None:
            row.waits.append(_days(sent, answered))
    _explain(placed)
    return dict(rows)


def _explain(placed: dict[int, Row]) -> None:
    """An application counts once for each code that it was returned or rejected with."""
    told = Decision.objects.filter(verdict__in=["return", "reject"])
    codes: dict[tuple[int, str], set[str]] = defaultdict(set)
    for pk, verdict, reasons in told.values_list("application", "verdict", "reasons").iterator():
        codes[pk, verdict].update(reasons)
    for (pk, verdict), reasons in codes.items():
        if (row := placed.get(pk)) is None:
            continue  # still open: told when it has ended
        row.returned += verdict == "return"
        row.why[verdict].update(reasons)


def _queue() -> dict[str, Counter[str]]:
    today = working_days.utc_date(timezone.now())
    waiting = Application.objects.filter(status__in=WAITING_STATES)
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for tier, due_on in waiting.values_list("tier__slug", "due_on"):
        found[tier][_age(due_on, today)] += 1
    return dict(found)


def _age(due_on: date | None, today: date) -> str:
    if due_on is None or due_on >= today:
        return "on_time"
    beyond = max(settings.ANSWER_ALARM_DAYS - settings.ANSWER_DAYS, 0)
    return "overdue" if working_days.add(due_on, beyond) >= today else "alarm"


def _grants() -> dict[str, Counter[str]]:
    now = timezone.now()
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for tier, state, ends in Grant.objects.values_list("tier__slug", "state", "expires_at"):
        over = state in {Grant.State.ACTIVE, Grant.State.SUSPENDED} and ends <= now
        found[tier][str(Grant.State.EXPIRED) if over else state] += 1
    return dict(found)


def _days(sent: datetime, answered: datetime) -> int:
    return working_days.between(working_days.utc_date(sent), working_days.utc_date(answered))
