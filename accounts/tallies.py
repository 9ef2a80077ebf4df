"""Counts of what happens too often to be written row by row, in the store of all processes."""

import logging
from functools import cache

import redis
from django.conf import settings

log = logging.getLogger(__name__)

#: Seconds that a request waits for the counters before it goes on without them.
_PATIENCE = 0.5


def add(name: str, field: str) -> None:
    """Count one; counters that do not answer count nothing, and nobody waits for them."""
    try:
        _client().hincrby(f"tally:{name}", field, 1)
    except redis.RedisError as error:
        log.error("the tallies do not answer: %s", error)


def take(name: str) -> dict[str, int]:
    """What was counted since the last time, which begins anew; empty where there is no answer."""
    try:
        both = _client().pipeline()  # a transaction: what is counted meanwhile is kept
        both.hgetall(f"tally:{name}")
        both.delete(f"tally:{name}")
        counted = both.execute()[0]
    except redis.RedisError as error:
        log.error("the tallies do not answer: %s", error)
        return {}
    return {field.decode(): int(number) for field, number in sorted(counted.items())}


@cache
def _client() -> redis.Redis:
    return redis.from_url(
        settings.CACHES["default"]["LOCATION"],
        socket_timeout=_PATIENCE,
        socket_connect_timeout=_PATIENCE,
    )
