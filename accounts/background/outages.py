"""Errors raised while the database or broker is unavailable: full, stopped or disconnected.

Neither the code nor the caller is at fault, so the response is 503 and the log gets one line.
"""

import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

DATABASE_ERRORS = (OperationalError, InterfaceError)
#: kombu wraps some errors of the Redis client, but none that occur while it waits for replies.
BROKER_ERRORS = (BrokerError, redis.RedisError, OSError)


def outage_message(error: BaseException) -> str:
    """Return the database error on one line; PostgreSQL's messages have several."""
    return f"the database does not answer: {' '.join(str(error).split())}"
