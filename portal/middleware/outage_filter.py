"""An outage and a stranger's nonsense are logged in a line each.

The way through the code that met them tells nobody anything, and fills the disk.
"""

import logging

import redis
from celery.beat import SchedulingError
from django.core.exceptions import SuspiciousOperation
from kombu.exceptions import OperationalError as BrokerError

from accounts.background.outages import DATABASE_AWAY

_AWAY = (*DATABASE_AWAY, redis.ConnectionError, redis.TimeoutError, BrokerError, SchedulingError)


class OutageFilter(logging.Filter):
    """Takes the traceback off a record of a database or broker that is away or full.

    And off one of a request that Django refuses as it stands: an unknown host, say.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, (*_AWAY, SuspiciousOperation)) or _is_full(error):
            record.exc_info = record.exc_text = None
        if isinstance(error, SchedulingError):  # beat spells its whole stack out in the message
            record.msg, record.args = "%s; the next turn tries again", (error,)
        return True


def _is_full(error: BaseException | None) -> bool:
    """Whether the broker refuses writes because its disk took none; a worker then ends."""
    return isinstance(error, redis.ResponseError) and str(error).startswith("MISCONF")
