"""Errors raised while the database or broker is full, stopped, unreachable or read-only.

Neither the code nor the caller is at fault, so the response is 503 and one line is logged.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from kombu.exceptions import OperationalError as BrokerError

READ_ONLY_MESSAGE = (
    "This portal is in read-only mode for maintenance: nothing is stored or changed. Downloads go"
    " on. Try again later."
)
DATABASE_ERRORS = (OperationalError, InterfaceError)
#: Free bytes below which a disk counts as full: SQLite needs a page, and its log 32 KiB at once.
_NO_SPACE = 64 * 1024
#: kombu wraps some errors of the Redis client, but not those raised while waiting for replies.
BROKER_ERRORS = (BrokerError, redis.RedisError, OSError)


class ReadOnly(OperationalError):
    """The portal is in read-only mode (READ_ONLY): a write was refused and nothing stored."""

    def __init__(self, message: str = f"{READ_ONLY_MESSAGE} (READ_ONLY is set)") -> None:
        super().__init__(message)


def refuse_in_read_only_mode() -> None:
    """Raise ReadOnly in read-only mode, before work that writes to the database only late."""
    if settings.READ_ONLY:
        raise ReadOnly


def outage_message(error: BaseException) -> str:
    """Return the database error on one line; PostgreSQL's messages have several.

    SQLite reports `disk I/O error` or `unable to open` if its disk is full or read-only.
    """
    if isinstance(error, ReadOnly):
        return str(error)
    return f"the database does not answer: {' '.join(str(error).split())}{_disk_fault()}"


def _disk_fault() -> str:
    """Return the fault of the disk with SQLite's file, in parentheses; empty if none."""
    if connection.vendor != "sqlite":
        return ""
    folder = Path(connection.settings_dict["NAME"]).parent
    with suppress(OSError):
        if folder.is_dir() and not os.access(folder, os.W_OK):
            return f" ({folder} is read-only)"
        if shutil.disk_usage(folder).free < _NO_SPACE:
            return f" (the disk of {folder} is full: free some space)"
    return ""
