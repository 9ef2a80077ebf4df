"""Sweeps, the daily check of the audit trail, and items for which a step fails."""

from datetime import datetime, timedelta

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min
from django.urls import reverse

from accounts.audit.merkle_log import daily_check
from accounts.background.models import FailedItem, Heartbeat
from portal.health.findings.line import ITEMS_SHOWN, Line, age_of, seconds

#: Heartbeat -> (name of the line, age of its last run that is an alarm).
SWEEPS = {
    "decisions": ("Decision sweep", timedelta(minutes=2)),
    "mail": ("Mail sweep", timedelta(minutes=2)),
    "grants": ("Grant expiry sweep", timedelta(minutes=2)),
    "weights": ("Verification sweep", timedelta(minutes=2)),
    "scrub": ("Scrub", timedelta(hours=1)),
    "clocks": ("Review sweep", timedelta(minutes=25)),
    "heads": ("Audit head sweep", timedelta(minutes=5)),
    "profiles": ("Profile checks", timedelta(minutes=10)),
    "tidy": ("Hourly clean-up", timedelta(minutes=135)),
}
#: The whole trail is checked daily, and a part of it each minute.
CHECK_LATE, TURN_ALARM = timedelta(hours=36), timedelta(minutes=10)


def lines(beats: dict[str, Heartbeat], now: datetime) -> list[Line]:
    is_new = {*SWEEPS, daily_check.HEARTBEAT} - beats.keys()
    age = now - _installed_at(now) if is_new else timedelta()
    sweeps = [
        _sweep(beats[name], *facts, now) if name in beats else _first_sweep(*facts, age)
        for name, facts in SWEEPS.items()
    ]
    return [*sweeps, _daily_check(beats.get(daily_check.HEARTBEAT), age, now)]


def _daily_check(beat: Heartbeat | None, age: timedelta, now: datetime) -> Line:
    name, page = "Check of the audit trail", reverse("accounts:audit")
    if beat is None:
        return _first_sweep(name, TURN_ALARM, age)
    progress = daily_check.Progress.of(beat)
    if progress.fault:
        text = f"altered: {progress.fault}; run manage.py verify_audit and see docs/audit.md"
        return Line(name, "alarm", text, page)
    text = "first check not finished yet"
    ended = datetime.fromisoformat(progress.ended) if progress.ended else None
    if ended:
        text = f"{progress.whole_rows} rows, all unchanged, {age_of(ended, now)} ago"
    if progress.is_under_way:
        text += f"; {progress.rows} rows read so far"
    if now - beat.at > TURN_ALARM:
        return Line(name, "alarm", f"{text}; last run {age_of(beat.at, now)} ago", page)
    is_late = now - (ended or datetime.fromisoformat(progress.began)) > CHECK_LATE
    return Line(name, "late" if is_late else "ok", text, page)


def _installed_at(now: datetime) -> datetime:
    """The time at which the first migration of this database was applied."""
    first = MigrationRecorder.Migration.objects.aggregate(at=Min("applied"))["at"]
    return first or now


def _first_sweep(name: str, patience: timedelta, age: timedelta) -> Line:
    if age <= patience:
        return Line(name, "ok", "has not run yet; this install is new")
    return Line(name, "alarm", "has never run: is beat running?")


def _sweep(beat: Heartbeat, name: str, patience: timedelta, now: datetime) -> Line:
    silent = now - beat.at > patience
    failures = failing_steps(beat, now)
    text = f"last {age_of(beat.at, now)} ago" + (f"; {failures}" if failures else "")
    values = {"sweep_age": seconds(beat.at, now)}
    return Line(name, "alarm" if silent or failures else "ok", text, values=values)


def failing_steps(beat: Heartbeat | None, now: datetime) -> str:
    """The failing steps, since when, and their last errors."""
    if beat is None or not beat.failing:
        return ""
    steps = [
        f"{step} for {age_of(datetime.fromisoformat(facts['since']), now)} ({facts['error']})"
        for step, facts in beat.failing.items()
    ]
    return f"could not finish: {', '.join(steps)}"


def failed_items(now: datetime, tiers: set[int] | None) -> Line:
    """Rows whose step or task fails and is retried; with errors only if `tiers` is None."""
    failing = list(FailedItem.objects.failing().order_by("-attempts", "since")[:100])
    shown = [
        f"{one} for {age_of(one.since, now)}, {one.attempts} attempts"
        f" ({one.last_error or 'its worker was killed'})"
        for one in (failing[:ITEMS_SHOWN] if tiers is None else [])
    ]
    given_up = any(one.attempts >= FailedItem.MAX_ATTEMPTS for one in failing)
    state = "alarm" if given_up else "late" if failing else "ok"
    text = "; ".join([str(len(failing)), *shown])
    return Line("Items that fail", state, text, values={"items_failing": len(failing)})
