"""The database or the broker does not answer: its disk is full, it is gone, or it hung up.

No fault of the code and nobody's input: callers are told to come again, the log gets a line.
"""

import redis
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

DATABASE_AWAY = (OperationalError, InterfaceError)
#: kombu words some of what the client raises as its own error, but not what it meets while it
#: waits for replies.
BROKER_AWAY = (BrokerError, redis.RedisError, OSError)


def in_a_line(error: BaseException) -> str:
    """What the database said, which PostgreSQL spreads over several lines."""
    return f"the database does not answer: {' '.join(str(error).split())}"
