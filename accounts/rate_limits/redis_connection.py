"""The Redis connection for rate limits and tallies, with a circuit breaker for outages."""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import redis
from django.conf import settings

log = logging.getLogger(__name__)

#: Socket timeout in seconds.
_TIMEOUT = 0.5
#: Seconds without a new attempt after a failure. While Redis hangs, only one request in this time
#: waits for the timeout.
_RETRY_AFTER = 1.0
#: Seconds between two log lines about one outage.
_LOG_INTERVAL = 60.0

Result = TypeVar("Result")


class RedisUnavailable(Exception):
    """Redis does not respond, or did not within the last second."""


class RedisConnection:
    """The connections of one process, and the state of its circuit breaker."""

    def __init__(self, location: str) -> None:
        self.client = redis.from_url(
            location, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
        )
        self._retry_at = 0.0
        self._log_at = 0.0

    def run(self, command: Callable[[redis.Redis], Result]) -> Result:
        """Return the result of `command`. Raises RedisUnavailable if Redis does not respond."""
        if time.monotonic() < self._retry_at:
            raise RedisUnavailable
        try:
            return command(self.client)
        except redis.RedisError as error:
            self._open(error)
            raise RedisUnavailable from error

    def _open(self, error: redis.RedisError) -> None:
        """Open the breaker, and log the outage at most once a minute."""
        now = time.monotonic()
        self._retry_at = now + _RETRY_AFTER
        if now >= self._log_at:
            self._log_at = now + _LOG_INTERVAL
            log.error("Redis (rate limits, tallies) does not answer: %s", error)


@cache
def shared() -> RedisConnection:
    """Return the connection of this process."""
    return RedisConnection(str(settings.CACHES["default"]["LOCATION"]))
