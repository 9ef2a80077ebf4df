"""Exact counts, before suppression. They must not be published."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.db.models import Case, Count, Q, Value, When
from django.utils import timezone

from accounts.applications.models import Application
from accounts.applications.transition_table import WAITING_STATES
from accounts.grants.models import Grant
from accounts.review import working_days
from accounts.review.models import Decision

#: The statuses of ended applications.
OUTCOMES = ("approved", "rejected", "withdrawn", "lapsed")
STATES = tuple(Grant.State.values)
AGES = ("on_time", "overdue", "alarm")
#: Time between the end of a month and its publication.
SETTLING = timedelta(days=1)


@dataclass
class MonthCounts:
    """The applications of one tier that ended in one month (UTC).

    `returned`: returned at least once. `waits`: working days to the first answer, for each answered
    application. `reasons`: verdict -> reason code -> applications. `appeals`: outcomes of appeals,
    which are counted nowhere else.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    returned: int = 0
    waits: list[int] = field(default_factory=list)
    reasons: dict[str, Counter[str]] = field(
        default_factory=lambda: {"reject": Counter(), "return": Counter()}
    )
    appeals: Counter[str] = field(default_factory=Counter)


@dataclass
class Counts:
    months: dict[tuple[str, str], MonthCounts]  # (month, tier)
    queue: dict[str, Counter[str]]  # tier -> age -> open applications
    grants: dict[str, Counter[str]]  # tier -> state -> grants


def count() -> Counts:
    """Count with four queries."""
    return Counts(_months(), _queue(), _grants())


def newest_month_end(now: datetime) -> datetime:
    """Return the end (UTC) of the newest month whose counts are published.

    A month is published SETTLING after its end, when its decisions can no longer be undone.
    """
    return (now.astimezone(UTC) - SETTLING).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


def _months() -> dict[tuple[str, str], MonthCounts]:
    months: dict[tuple[str, str], MonthCounts] = defaultdict(MonthCounts)
    by_application: dict[int, MonthCounts] = {}
    ended = Application.objects.filter(
        status__in=OUTCOMES,
        submitted_at__isnull=False,
        decided_at__lt=newest_month_end(timezone.now()),
    )
    rows = ended.values_list(
        *("pk", "tier__slug", "kind", "status", "submitted_at", "answered_at", "decided_at")
    )
    for pk, tier, kind, status, submitted, answered, decided in rows.iterator():
        assert submitted is not None  # filtered above
        assert decided is not None
        month = months[f"{decided.astimezone(UTC):%Y-%m}", tier]
        if kind == Application.Kind.APPEAL:
            month.appeals[status] += 1
            continue
        by_application[pk] = month
        month.outcomes[status] += 1
        if answered is not None:
            month.waits.append(_days(submitted, answered))
    _count_reasons(by_application)
    return dict(months)


def _count_reasons(by_application: dict[int, MonthCounts]) -> None:
    """Count each application once for each code of its returns or rejection."""
    decisions = Decision.objects.filter(verdict__in=["return", "reject"])
    codes: dict[tuple[int, str], set[str]] = defaultdict(set)
    for pk, verdict, reasons in decisions.values_list(
        "application", "verdict", "reasons"
    ).iterator():
        codes[pk, verdict].update(reasons)
    for (pk, verdict), reasons in codes.items():
        if (month := by_application.get(pk)) is None:
            continue  # open applications are counted after they end
        month.returned += verdict == "return"
        month.reasons[verdict].update(reasons)


def _queue() -> dict[str, Counter[str]]:
    today = working_days.utc_date(timezone.now())
    waiting = Application.objects.filter(status__in=WAITING_STATES)
    queue: dict[str, Counter[str]] = defaultdict(Counter)
    for tier, due_on in waiting.values_list("tier__slug", "due_on"):
        queue[tier][_age(due_on, today)] += 1
    return dict(queue)


def _age(due_on: date | None, today: date) -> str:
    if due_on is None or due_on >= today:
        return "on_time"
    alarm_days = max(settings.ANSWER_ALARM_DAYS - settings.ANSWER_DAYS, 0)
    return "overdue" if working_days.add(due_on, alarm_days) >= today else "alarm"


def _grants() -> dict[str, Counter[str]]:
    grants: dict[str, Counter[str]] = defaultdict(Counter)
    unended = Q(state__in=[Grant.State.ACTIVE, Grant.State.SUSPENDED])
    has_expired = When(unended & Q(expires_at__lte=timezone.now()), then=Value("expired"))
    rows = Grant.objects.annotate(counted_as=Case(has_expired, default="state")).order_by()
    counts = rows.values_list("tier__slug", "counted_as").annotate(Count("pk"))
    for tier, state, number in counts:
        grants[tier][state] += number
    return dict(grants)


def _days(submitted: datetime, answered: datetime) -> int:
    return working_days.between(working_days.utc_date(submitted), working_days.utc_date(answered))
