"""Log records on one line, without credentials, and without tracebacks of outages."""

import logging
from collections.abc import MutableMapping
from typing import Any

import redis
from celery.beat import SchedulingError
from django.core.exceptions import SuspiciousOperation
from kombu.exceptions import OperationalError as BrokerError

from accounts.background.outages import DATABASE_ERRORS
from accounts.web import sanitize

#: Keys whose values are tracebacks: several lines, the last with an exception's message.
_TRACEBACKS = {"exception", "stack"}
#: Errors whose traceback does not help: an outage, and a request that Django refuses.
_WITHOUT_TRACEBACK = (
    *(*DATABASE_ERRORS, redis.ConnectionError, redis.TimeoutError, BrokerError),
    *(SchedulingError, SuspiciousOperation),
)


def one_line(logger: Any, name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that keeps external text from forging lines or leaking credentials."""
    for key, value in entry.items():
        if isinstance(value, str) and key in _TRACEBACKS:
            entry[key] = _lines(value)
        elif not isinstance(value, int | float | None):
            entry[key] = sanitize.log_line(str(value))
    return entry


def _lines(traceback: str) -> str:
    return sanitize.multiline(sanitize.without_secrets(traceback))


class OutageFilter(logging.Filter):
    """Removes the traceback from records of an outage, which would fill the disk."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, _WITHOUT_TRACEBACK) or _is_full(error):
            record.exc_info = record.exc_text = None
        if isinstance(error, SchedulingError):  # beat includes its stack in the message
            record.msg, record.args = "%s; the next run tries again", (error,)
        return True


def _is_full(error: BaseException | None) -> bool:
    """True if the broker refuses writes because its disk is full; a worker then ends."""
    return isinstance(error, redis.ResponseError) and str(error).startswith("MISCONF")
