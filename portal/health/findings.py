"""The lines of the health page: work that waits too long, has stopped or fails.

Shows only counts, without names or answers, in a fixed number of queries: applications of the
reader's tiers, everything else of the whole portal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import current_app
from django.conf import settings
from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Count, Min, Q
from django.db.models.functions import Coalesce, Greatest
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from accounts.applications.models import Application
from accounts.audit.merkle_log import daily_check, heads, unsealed
from accounts.audit.models import HeadCopy, SealBatch
from accounts.background.models import FailedItem, Heartbeat
from accounts.background.outages import BROKER_ERRORS
from accounts.change_requests.models import ChangeRequest
from accounts.mail.models import OutgoingMail
from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable
from accounts.review import working_days
from portal.backup import reread
from portal.checks import NOT_VERSIONED
from portal.health import backups, clock, nginx_access
from portal.supervisor import crash_reports
from weights.delivery.models import CheckpointLink
from weights.errors import StorageUnavailable
from weights.integrity import scrub, verification
from weights.integrity.scrub import command
from weights.manifests.models import ManifestSignature
from weights.publishing.models import Revision
from weights.recalls.models import Recall
from weights.storage import blob_storage
from weights.storage.models import UNVERIFIED, Blob

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
#: Mails and blobs that wait longer than this are late.
PATIENCE = timedelta(hours=1)
#: Ages of unsealed rows that are late, and an alarm; usually a row is sealed within a second.
SEAL_LATE, SEAL_ALARM = timedelta(seconds=30), timedelta(minutes=5)
#: A head is signed daily; the sweep runs each minute.
HEAD_ALARM = timedelta(hours=25)
#: Maximum number of failing items listed individually.
ITEMS_SHOWN = 5
#: The whole trail is checked daily, a part of it each minute.
CHECK_LATE, TURN_ALARM = timedelta(hours=36), timedelta(minutes=10)
#: The store is surveyed at least daily.
SURVEY_PATIENCE = timedelta(hours=25)


@dataclass(frozen=True)
class Line:
    """One line of the page; `state` is ok, late or alarm.

    `values` are its numbers for `/metrics`, by the names of `portal.metrics.database`.
    """

    name: str
    state: str
    text: str
    address: str = ""
    values: Mapping[str, float] = field(default_factory=dict)

    @property
    def word(self) -> str:
        return {"ok": "Fine", "late": "Late", "alarm": "Alarm"}[self.state]


def lines(tiers: list[int] | None = None, *, with_bucket: bool = True) -> list[Line]:
    """All lines: at most twenty queries, one request to the broker and two to the bucket.

    With `tiers` applications are counted in these, and errors of single items, which may name what
    belongs to other tiers, are left out. Without `with_bucket` the two lines that ask the bucket
    are left out, so that a store that hangs delays nothing.
    """
    now = timezone.now()
    waiting = [*_queue(now, tiers), *_verification(now), *_outbox(now), _links(), _signing(now)]
    waiting += [_scrub(now), _store(now), _recalls(now)]
    if with_bucket:
        waiting += [_versions(), Line("Clock", *clock.check())]
    waiting += [Line("Files for nginx", *nginx_access.check())]
    beats = {beat.name: beat for beat in Heartbeat.objects.all()}
    waiting += _trail(beats.get("sealing"), now)
    backup = backups.check(beats.get(reread.HEARTBEAT), now)
    waiting += [_second_person(now), Line("Backup", *backup)]
    return [
        *waiting,
        *_sweeps(beats, now),
        _failed_items(now, tiers),
        broker(),
        _counters(),
        *_processes(now),
    ]


def _queue(now: datetime, tiers: list[int] | None) -> list[Line]:
    today = working_days.utc_date(now)
    beyond = settings.ANSWER_ALARM_DAYS - settings.ANSWER_DAYS
    alarm_before = working_days.add(today, -max(beyond, 0))
    waiting = Application.objects.waiting()
    found = (waiting if tiers is None else waiting.filter(tier__in=tiers)).aggregate(
        waiting=Count("pk"),
        oldest=Min("submitted_at"),
        overdue=Count("pk", filter=Q(due_on__lt=today)),
        alarmed=Count("pk", filter=Q(due_on__lt=alarm_before)),
    )
    page = reverse("admin:accounts_application_changelist")
    text = _waiting(found["waiting"], found["oldest"], now)
    late = "alarm" if found["alarmed"] else "late" if found["overdue"] else "ok"
    return [
        Line(
            "Waiting applications",
            "ok",
            text,
            page,
            {"review_waiting": found["waiting"], "review_oldest": _seconds(found["oldest"], now)},
        ),
        Line(
            "First decisions overdue",
            late,
            f"{found['overdue']}; {found['alarmed']} beyond"
            f" {settings.ANSWER_ALARM_DAYS} working days",
            page,
            {"review_overdue": found["overdue"]},
        ),
    ]


def _second_person(now: datetime) -> Line:
    """The rule for acts that open a gate, and the requests that wait under it."""
    name, page = "Second person", reverse("admin:accounts_changerequest_changelist")
    if settings.SINGLE_OPERATOR:
        text = "not asked for: SINGLE_OPERATOR is on, so one person may open a gate further"
        return Line(name, "ok", text, page)
    waiting = ChangeRequest.objects.waiting(now).count()
    text = f"confirms what opens a gate further; {waiting} requests wait"
    return Line(name, "ok", text, page, {"change_requests_waiting": waiting})


def _verification(now: datetime) -> list[Line]:
    found = Blob.objects.aggregate(
        waiting=Count("pk", filter=Q(state__in=UNVERIFIED)),
        oldest=Min("created_at", filter=Q(state__in=UNVERIFIED)),
        quarantined=Count("pk", filter=Q(state=Blob.State.QUARANTINED)),
        shown=Count("pk", filter=Q(pk__in=command.quarantined().values("pk"))),
    )
    shown = found["shown"]
    page = reverse("admin:weights_blob_changelist")
    waits = found["oldest"] is not None and now - found["oldest"] > PATIENCE
    text = _waiting(found["waiting"], found["oldest"], now)
    return [
        Line(
            "Blobs to verify",
            "late" if waits else "ok",
            text,
            page,
            {
                "verification_waiting": found["waiting"],
                "verification_oldest": _seconds(found["oldest"], now),
            },
        ),
        Line(
            "Blobs in quarantine",
            "alarm" if shown else "ok",
            f"{shown} published; {found['quarantined'] - shown} never shown",
            f"{page}?state__exact=quarantined",
            {"quarantined_published": shown},
        ),
        _interrupted_checks(page),
    ]


def _interrupted_checks(page: str) -> Line:
    """Blobs whose checks were repeatedly stopped or killed; each check starts over."""
    name, interrupted = "Interrupted checks", verification.interrupted_blobs()
    if not interrupted:
        return Line(name, "ok", "none", page)
    shown = ", ".join(
        f"{sha256} ({count} in a row)"
        for sha256, count in sorted(interrupted.items())[:ITEMS_SHOWN]
    )
    text = f"{len(interrupted)}: {shown}; each check starts over, so let a worker finish one"
    return Line(name, "alarm", text, page)


def _outbox(now: datetime) -> list[Line]:
    state = OutgoingMail.State
    found = OutgoingMail.objects.filter(state__in=[state.QUEUED, state.FAILED]).aggregate(
        queued=Count("pk", filter=Q(state=state.QUEUED)),
        oldest=Min("created_at", filter=Q(state=state.QUEUED)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
    )
    page = reverse("admin:accounts_outgoingmail_changelist")
    waits = found["oldest"] is not None and now - found["oldest"] > PATIENCE
    text = _waiting(found["queued"], found["oldest"], now)
    if not settings.MAIL_LEAVES:
        text += "; no mail server is configured, so messages are only stored here"
    return [
        Line(
            "Mails to deliver",
            "late" if waits else "ok",
            text,
            page,
            {"mail_waiting": found["queued"], "mail_oldest": _seconds(found["oldest"], now)},
        ),
        Line(
            "Mails that failed",
            "alarm" if found["failed"] else "ok",
            str(found["failed"]),
            f"{page}?state__exact=failed",
            {"mail_failed": found["failed"]},
        ),
    ]


def _links() -> Line:
    state = CheckpointLink.State
    found: dict[str, Any] = CheckpointLink.objects.filter(
        state__in=[state.QUEUED, state.FAILED]
    ).aggregate(
        queued=Count("pk", filter=Q(state=state.QUEUED)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
    )
    return Line(
        "Links being prepared",
        "late" if found["failed"] else "ok",
        f"{found['queued']}; {found['failed']} could not be issued",
        reverse("admin:weights_checkpointlink_changelist"),
        {"links_waiting": found["queued"], "links_failed": found["failed"]},
    )


def _signing(now: datetime) -> Line:
    """Visible revisions that no active key has signed within PATIENCE."""
    signed = ManifestSignature.objects.filter(key__retired_at=None).values("revision")
    waiting = Revision.objects.visible().exclude(pk__in=signed)
    count = waiting.filter(visible_at__lt=now - PATIENCE).count()
    text = f"{count} for over an hour: does a worker have MANIFEST_KEY_FILE set?" if count else "0"
    page = reverse("admin:weights_manifestkey_changelist")
    state = "late" if count else "ok"
    return Line("Manifests to sign", state, text, page, {"manifests_unsigned": count})


def _trail(sealing: Heartbeat | None, now: datetime) -> list[Line]:
    last = SealBatch.objects.order_by("number").last()
    return [_seals(last, sealing, now), _head(last, now), _copies()]


def _seals(last: SealBatch | None, sealing: Heartbeat | None, now: datetime) -> Line:
    count, since = unsealed.backlog(last)
    waited = now - since if since else timedelta()
    state = "alarm" if waited > SEAL_ALARM else "late" if waited > SEAL_LATE else "ok"
    text = _waiting(count, since, now)
    if state != "ok":
        text += ": is a worker running, or does a transaction never end?"
    if failures := _failures(sealing, now):
        state, text = "alarm", f"{text}; {failures}"
    values = {"audit_unsealed": count, "audit_unsealed_oldest": waited.total_seconds()}
    if last is not None:
        values["audit_seal_age"] = _seconds(last.sealed_at, now)
    return Line("Rows of the trail to seal", state, text, values=values)


def _head(last: SealBatch | None, now: datetime) -> Line:
    head = heads.newest()
    page = reverse("accounts:audit")
    if head is not None and head.is_compromised:
        text = "signed with a compromised key, and no worker has a new one yet (docs/audit.md)"
        return Line("Signed head of the trail", "alarm", text, page)
    if head is None:
        waits = last is not None and now - last.sealed_at > PATIENCE
        text = "none yet" + (": does a worker have AUDIT_KEY_FILE set?" if waits else "")
        return Line("Signed head of the trail", "late" if waits else "ok", text, page)
    late = now - head.signed_at > HEAD_ALARM
    text = f"{head.size} rows, signed {_age(head.signed_at, now)} ago"
    if late:
        text += ": does a worker have AUDIT_KEY_FILE set?"
    values = {"audit_head_age": _seconds(head.signed_at, now), "audit_head_rows": head.size}
    return Line("Signed head of the trail", "alarm" if late else "ok", text, page, values)


def _copies() -> Line:
    """Failed copies of signed heads; failed mails have a separate line."""
    waiting = HeadCopy.objects.filter(done_at=None, attempts__gt=0).order_by("-pk")[:100]
    errors = [copy.last_error for copy in waiting if copy.last_error]
    text = f"{len(errors)} could not be written; the last: {errors[0]}" if errors else "0"
    if not (settings.AUDIT_HEAD_RECIPIENTS or settings.AUDIT_HEAD_COPY):
        text += "; no second location is set, so heads are stored on this portal only"
    state = "alarm" if errors else "ok"
    return Line(
        "Copies of heads that failed", state, text, values={"audit_copies_failed": len(errors)}
    )


def _scrub(now: datetime) -> Line:
    """Blobs whose scrub is behind schedule."""
    found = scrub.late(now).aggregate(blobs=Count("pk"), oldest=Min("last_verified_at"))
    text = f"{found['blobs']}"
    if found["oldest"]:
        text += (
            f", the oldest last read {_age(found['oldest'], now)} ago: raise"
            " SCRUB_BYTES_PER_SECOND, or look for stopped workers"
        )
    page = reverse("admin:weights_blob_changelist")
    state = "late" if found["blobs"] else "ok"
    name = f"Blobs unread for {settings.SCRUB_DAYS} days"
    return Line(name, state, text, page, {"scrub_overdue": found["blobs"]})


def _store(now: datetime) -> Line:
    """The result of the last survey of the store."""
    name, page = "Missing in the store", reverse("admin:weights_storefinding_changelist")
    last, good = scrub.last_one(), scrub.last_good()
    if last is not None and last.trouble:
        return Line(name, "alarm", f"unknown: {last.trouble}"[:300], page)
    if good is None or good.finished_at is None:
        return Line(name, "ok", "not surveyed yet", page)
    text = f"{good.missing}; {good.orphaned} orphaned; surveyed {_age(good.finished_at, now)} ago"
    if good.overlaid:
        text += f"; {good.overlaid} overwritten, downloads still get the verified version"
    old = now - good.finished_at > SURVEY_PATIENCE
    wrong = good.missing or good.overlaid
    values = {"store_missing": good.missing, "store_overwritten": good.overlaid}
    return Line(name, "alarm" if wrong else "late" if old else "ok", text, page, values)


def _versions() -> Line:
    """Reports if the bucket keeps overwritten versions; also reports an unreachable bucket."""
    name, storage = "Versions in the store", blob_storage()
    if storage.is_local:
        return Line(name, "ok", "files: a changed file is detected at the next request")
    if not storage.binds_versions:
        return Line(name, "ok", "not pinned: the CDN serves the current object in the bucket")
    try:
        keeps_versions = storage.keeps_versions()
    except StorageUnavailable as error:
        return Line(name, "late", f"unknown: {error}"[:300])
    return Line(name, "ok", "kept") if keeps_versions else Line(name, "late", NOT_VERSIONED)


def _recalls(now: datetime) -> Line:
    """Recalls whose mails were not all written or delivered within PATIENCE."""
    state = OutgoingMail.State
    kinds = ["recall_opened", "recall_repaired"]
    mails = OutgoingMail.objects.filter(kind__in=kinds, state__in=[state.QUEUED, state.FAILED])
    stuck = mails.filter(created_at__lt=now - PATIENCE).count()
    changed = Greatest("opened_at", Coalesce("repaired_at", "opened_at"))
    unwritten = Recall.objects.filter(told_at=None).alias(at=changed)
    recalls = unwritten.filter(at__lt=now - PATIENCE).count()
    page = reverse("admin:weights_recall_changelist")
    text = f"{recalls} recalls with unsent mails, {stuck} mails not delivered"
    if not settings.MAIL_LEAVES:
        stuck = 0  # without a mail server, mails are read in the admin
    return Line("Recall mails to send", "alarm" if recalls or stuck else "ok", text, page)


def _sweeps(beats: dict[str, Heartbeat], now: datetime) -> list[Line]:
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
        text = f"{progress.whole_rows} rows, all unchanged, {_age(ended, now)} ago"
    if progress.is_under_way:
        text += f"; {progress.rows} rows read so far"
    if now - beat.at > TURN_ALARM:
        return Line(name, "alarm", f"{text}; last run {_age(beat.at, now)} ago", page)
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
    failures = _failures(beat, now)
    text = f"last {_age(beat.at, now)} ago" + (f"; {failures}" if failures else "")
    values = {"sweep_age": _seconds(beat.at, now)}
    return Line(name, "alarm" if silent or failures else "ok", text, values=values)


def _failures(beat: Heartbeat | None, now: datetime) -> str:
    """The failing steps, since when, and their last errors."""
    if beat is None or not beat.failing:
        return ""
    steps = [
        f"{step} for {_age(datetime.fromisoformat(facts['since']), now)} ({facts['error']})"
        for step, facts in beat.failing.items()
    ]
    return f"could not finish: {', '.join(steps)}"


def _failed_items(now: datetime, tiers: list[int] | None) -> Line:
    """Rows for which a step or task fails and is retried; each with its error for all tiers."""
    failing = list(FailedItem.objects.failing().order_by("-attempts", "since")[:100])
    shown = [
        f"{one} for {_age(one.since, now)}, {one.attempts} attempts"
        f" ({one.last_error or 'its worker was killed'})"
        for one in (failing[:ITEMS_SHOWN] if tiers is None else [])
    ]
    given_up = any(one.attempts >= FailedItem.MAX_ATTEMPTS for one in failing)
    state = "alarm" if given_up else "late" if failing else "ok"
    text = "; ".join([str(len(failing)), *shown])
    return Line("Items that fail", state, text, values={"items_failing": len(failing)})


def broker() -> Line:
    """The number of queued tasks; a broker that does not answer within 2 s is an alarm."""
    try:
        with current_app.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
            channel: Any = connection.default_channel
            size = channel.queue_declare(current_app.conf.task_default_queue).message_count
    except BROKER_ERRORS as error:
        text = f"does not answer: {error}"[:200]
        return Line("Broker", "alarm", text, values={"broker_up": 0})
    return Line(
        "Broker", "ok", f"answers; {size} tasks wait", values={"broker_up": 1, "queue": size}
    )


def _counters() -> Line:
    """The server that counts requests and sign-ins (CACHE_URL)."""
    try:
        redis_connection.shared().run(lambda store: store.ping())
    except RedisUnavailable:
        text = "CACHE_URL does not answer: each process counts sign-ins itself, with smaller limits"
        return Line("Counters of attempts", "alarm", f"{text} (docs/security.md)")
    return Line("Counters of attempts", "ok", "answer")


def _processes(now: datetime) -> list[Line]:
    """Crashing children of `make run`; none in other installs, where containers restart them."""
    if not getattr(settings, "DATA_DIR", None):
        return []
    reports = crash_reports.read(settings.DATA_DIR)
    texts = [
        f"{one.name} has ended {one.false_starts} times within"
        f" {_age(datetime.fromtimestamp(one.since, UTC), now)}, most recently with"
        f" {one.ended_with}; it is restarted every half minute"
        for one in reports
    ]
    return [Line("Processes", "alarm" if texts else "ok", "; ".join(texts) or "all running")]


def _waiting(count: int, oldest: datetime | None, now: datetime) -> str:
    return f"{count}, the oldest for {_age(oldest, now)}" if oldest else str(count)


def _seconds(moment: datetime | None, now: datetime) -> float:
    """Seconds since `moment`; 0 if there is none, since nothing waits."""
    return (now - moment).total_seconds() if moment else 0.0


def _age(moment: datetime, now: datetime) -> str:
    return timesince(moment, now, depth=1).replace("\xa0", " ")
