"""The database, the queue, the cache and the mail server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.background.models import Heartbeat
from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable
from portal.health import findings as health
from portal.health.clock import TOLERATED
from portal.install_check.findings import Finding, fault, judged, ok, warning

OLDEST_POSTGRESQL = 14


def database() -> Iterator[Finding]:
    """Connect, compare versions and clocks, write a row and roll it back."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT current_setting('server_version_num')::int / 10000, now()")
            version, now = cursor.fetchone()
            yield _version(version)
            yield clock("Clock of the database", now)
        else:
            yield ok("Database", "SQLite, a file of this machine")
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if waiting:
        text = f"{waiting} are not applied: run manage.py prepare_install"
        yield fault("Migrations", text)
        return
    yield ok("Migrations", "all applied")
    if settings.READ_ONLY:
        yield warning("Writes", "refused, because READ_ONLY is set; unset it after maintenance")
        return
    with transaction.atomic():
        Heartbeat.objects.create(name="check-install", at=timezone.now())
        transaction.set_rollback(True)
    yield ok("Writes", "the database accepts them")


def _version(number: int) -> Finding:
    if number < OLDEST_POSTGRESQL:
        text = f"PostgreSQL {number} is too old: upgrade it to {OLDEST_POSTGRESQL} or newer"
        return fault("Database", text)
    return ok("Database", f"PostgreSQL {number}")


def clock(name: str, other: datetime) -> Finding:
    """Compare this machine's clock with the time of another one."""
    off = datetime.now(UTC) - other
    if abs(off) <= timedelta(seconds=TOLERATED):
        return ok(name, "agrees with this machine's")
    which = "ahead of" if off > timedelta() else "behind"
    return fault(
        name,
        f"this machine is {abs(off).total_seconds():.0f} s {which} it: set both by NTP (timedatectl"
        " set-ntp true); links and signed addresses end at the wrong time",
    )


def queue() -> Iterator[Finding]:
    line = health.broker()
    yield judged("Queue (BROKER_URL)", line.state, line.text)


def cache() -> Iterator[Finding]:
    name = "Cache (CACHE_URL)"
    try:
        redis_connection.shared().run(lambda store: store.ping())
    except RedisUnavailable as error:
        text = f"does not answer: {error.__cause__}; start it, or correct CACHE_URL"
        yield fault(name, text)
        return
    yield ok(name, "answers")


def mail() -> Iterator[Finding]:
    """Sign in at the mail server; nothing is sent."""
    name = "Mail (EMAIL_URL)"
    if not settings.MAIL_LEAVES:
        text = "not set, so no mail is sent: an administrator reads them under Outgoing mails"
        yield warning(name, text)
        return
    backend = get_connection()
    try:
        backend.open()
    except OSError as error:
        yield fault(name, f"{settings.EMAIL_HOST} cannot be used: {error}; correct EMAIL_URL")
        return
    backend.close()
    yield ok(name, f"{settings.EMAIL_HOST} accepts the connection")
