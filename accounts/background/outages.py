"""Errors of a database or broker that is away: full, stopped or disconnected.

Neither the code nor the caller is at fault: the answer is 503, and the log gets one line.
"""

import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

DATABASE_AWAY = (OperationalError, InterfaceError)
#: kombu wraps some errors of the Redis client, but none that occur while it waits for replies.
BROKER_AWAY = (BrokerError, redis.RedisError, OSError)


def in_a_line(error: BaseException) -> str:
    """The error in one line; PostgreSQL's messages have several."""
    return f"the database does not answer: {' '.join(str(error).split())}"
