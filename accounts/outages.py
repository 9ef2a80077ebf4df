"""The database does not answer: its disk is full, it is gone, or it hung up.

No fault of the code and nobody's input: callers are told to come again, the log gets a line.
"""

from django.db import InterfaceError, OperationalError

DATABASE_AWAY = (OperationalError, InterfaceError)


def in_a_line(error: BaseException) -> str:
    """What the database said, which PostgreSQL spreads over several lines."""
    return f"the database does not answer: {' '.join(str(error).split())}"
