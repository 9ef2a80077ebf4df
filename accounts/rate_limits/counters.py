"""The store of counts that all processes share, and how a process goes on while it is away."""

import logging
import time
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import redis
from django.conf import settings

log = logging.getLogger(__name__)

#: Seconds that a request waits for the counters before it goes on without them.
_PATIENCE = 0.5
#: Seconds for which counters that failed are left alone: where they hang instead of refusing,
#: one request in so many seconds waits for them, and not each.
_REST = 1.0
#: Seconds between two lines of the log about one outage.
_TOLD_EACH = 60.0

Answer = TypeVar("Answer")


class CountersAway(Exception):
    """The counters do not answer, or did not a moment ago."""


class Counters:
    """A process's connections to the store, and what it knows of an outage."""

    def __init__(self, location: str) -> None:
        self.client = redis.from_url(
            location, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        )
        self._ask_again = 0.0
        self._tell_again = 0.0

    def ask(self, question: Callable[[redis.Redis], Answer]) -> Answer:
        """What the store answers; raises CountersAway where it does not."""
        if time.monotonic() < self._ask_again:
            raise CountersAway
        try:
            return question(self.client)
        except redis.RedisError as error:
            self._note(error)
            raise CountersAway from error

    def _note(self, error: redis.RedisError) -> None:
        now = time.monotonic()
        self._ask_again = now + _REST
        if now >= self._tell_again:
            self._tell_again = now + _TOLD_EACH
            log.error("the counters of rate limits and tallies do not answer: %s", error)


@cache
def shared() -> Counters:
    """This process's."""
    return Counters(str(settings.CACHES["default"]["LOCATION"]))
