"""The database, the queue, the cache and the mail server."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import redis
from django.conf import settings
from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.background.models import Heartbeat
from accounts.background.outages import DATABASE_ERRORS
from accounts.rate_limits import redis_connection
from portal.health import findings as health
from portal.health.clock import TOLERATED
from portal.install_check.findings import (
    Finding,
    fault,
    judged,
    network_reason,
    ok,
    reason,
    warning,
    with_remedy,
)

OLDEST_POSTGRESQL = 14


def database() -> Iterator[Finding]:
    """Connect, compare versions and clocks, write a row and roll it back."""
    try:
        connection.ensure_connection()
    except DATABASE_ERRORS as error:
        remedy = "start it, or correct DATABASE_URL or DATABASE_PASSWORD"
        if connection.vendor == "sqlite":
            remedy = "look at its disk, or correct DATABASE_URL"
        yield fault("Database", with_remedy(reason(error), remedy))
        return
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
        are = "is" if waiting == 1 else "are"
        text = f"{waiting} {are} not applied: run manage.py prepare_install"
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
    """Compare this machine's clock with another one's time."""
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
    name, line = "Queue (BROKER_URL)", health.broker()
    if line.state == "alarm":
        yield fault(name, with_remedy(line.text, "start it, or correct BROKER_URL"))
    else:
        yield judged(name, line.state, line.text)


def cache() -> Iterator[Finding]:
    name = "Cache (CACHE_URL)"
    try:
        # Not with `run`, which also logs an outage.
        redis_connection.shared().client.ping()
    except redis.RedisError as error:
        cause = f"does not answer: {reason(error)}"
        yield fault(name, with_remedy(cause, "start it, or correct CACHE_URL"))
        return
    yield ok(name, "answers")


def mail() -> Iterator[Finding]:
    """Sign in to the mail server without sending anything."""
    name = "Mail (EMAIL_URL)"
    if not settings.MAIL_LEAVES:
        text = "not set, so no mail is sent: an administrator reads them under Outgoing mails"
        yield warning(name, text)
        return
    server = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    backend = get_connection()
    try:
        backend.open()
    except OSError as error:
        cause = f"{server} cannot be used: {network_reason(error)}"
        yield fault(name, with_remedy(cause, "correct EMAIL_URL"))
        return
    backend.close()
    yield ok(name, f"{server} accepts the connection")
