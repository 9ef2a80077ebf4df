"""Counters of the rate limits, as if somebody had asked for long."""

import time

from accounts import rate_limits
from accounts.rate_limits import Limit


def spend(limit: Limit, key: str, count: int) -> None:
    """Take so many from a bucket that is full, at once."""
    full_at = time.time() + count * limit.window / limit.quota
    counters = rate_limits._script().registered_client
    counters.set(f"rate:{limit.name}:{key}", f"{full_at:.6f}", ex=limit.window)
