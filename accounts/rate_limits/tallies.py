"""Counts, in Redis, of events that are too frequent for a database row each."""

from collections.abc import Collection
from contextlib import suppress
from typing import cast

import redis

from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable


def add(name: str, field: str) -> None:
    """Add one to `field` of the tally `name`; do nothing if Redis is unavailable."""
    with suppress(RedisUnavailable):
        add_or_fail(name, field)


def add_or_fail(name: str, field: str) -> None:
    """Like `add`, but raise RedisUnavailable if Redis is unavailable."""
    redis_connection.shared().run(lambda store: store.hincrby(f"tally:{name}", field, 1))


def read(name: str) -> dict[str, int]:
    """Return the counts of `name`, by field; empty if Redis is unavailable."""
    try:
        counts = redis_connection.shared().run(lambda store: store.hgetall(f"tally:{name}"))
    except RedisUnavailable:
        return {}
    return _decoded(cast("dict[bytes, bytes]", counts))


def remove(name: str, fields: Collection[str]) -> None:
    """Remove these fields of `name`; do nothing if Redis is unavailable."""
    with suppress(RedisUnavailable):
        redis_connection.shared().run(lambda store: store.hdel(f"tally:{name}", *fields))


def drain(name: str) -> dict[str, int]:
    """Return and reset the counts of `name`, by field; empty if Redis is unavailable."""
    try:
        counts = redis_connection.shared().run(lambda store: _drain(store, f"tally:{name}"))
    except RedisUnavailable:
        return {}
    return _decoded(counts)


def _decoded(counts: dict[bytes, bytes]) -> dict[str, int]:
    return {field.decode(): int(number) for field, number in sorted(counts.items())}


def _drain(store: redis.Redis, key: str) -> dict[bytes, bytes]:
    pipeline = store.pipeline()  # a transaction, so that no concurrent count is lost
    pipeline.hgetall(key)
    pipeline.delete(key)
    counts: dict[bytes, bytes] = pipeline.execute()[0]
    return counts
