"""Counters of the rate limits: use up a limit, or make the counters unavailable."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_django import Settings

from accounts.rate_limits import redis_connection
from accounts.rate_limits.buckets import Limit


def spend(limit: Limit, key: str, count: int) -> None:
    """Take `count` tokens at once from a full bucket."""
    full_at = time.time() + count * limit.window / limit.quota
    store = redis_connection.shared().client
    store.set(f"rate:{limit.name}:{key}", f"{full_at:.6f}", ex=limit.window)


@contextmanager
def away(settings: Settings, location: str = "redis://127.0.0.1:1/0") -> Iterator[None]:
    """Point the counters at `location`, where nothing listens."""
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": location}}
    redis_connection.shared.cache_clear()
    try:
        yield
    finally:
        redis_connection.shared.cache_clear()
