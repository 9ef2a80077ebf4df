"""Broker, counters of rate limits, and crashes of the processes that `make run` starts."""

from datetime import UTC, datetime
from typing import Any

from celery import current_app
from django.conf import settings
from django.template.defaultfilters import pluralize

from accounts.background.outages import BROKER_ERRORS
from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable
from portal.health.findings.line import Line, age_of
from portal.supervisor import crash_reports


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
        "Broker",
        "ok",
        f"answers; {size} task{pluralize(size, ' waits,s wait')}",
        values={"broker_up": 1, "queue": size},
    )


def counters() -> Line:
    """The server that counts requests and sign-ins (CACHE_URL)."""
    try:
        redis_connection.shared().run(lambda store: store.ping())
    except RedisUnavailable:
        text = "CACHE_URL does not answer: each process counts sign-ins itself, with smaller limits"
        return Line("Counters of attempts", "alarm", f"{text} (docs/security.md)")
    return Line("Counters of attempts", "ok", "answer")


def children(now: datetime) -> list[Line]:
    """Crashing children of `make run`; no line for other installs, which use containers."""
    if not getattr(settings, "DATA_DIR", None):
        return []
    reports = crash_reports.read(settings.DATA_DIR)
    texts = [
        f"{one.name} has ended {one.false_starts} times within"
        f" {age_of(datetime.fromtimestamp(one.since, UTC), now)}, most recently with"
        f" {one.ended_with}; it is restarted every half minute"
        for one in reports
    ]
    return [Line("Processes", "alarm" if texts else "ok", "; ".join(texts) or "all running")]
