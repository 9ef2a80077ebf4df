"""Token buckets in the memory of one process, for limits that must hold without Redis."""

import math
import time
from threading import Lock

from accounts.rate_limits.buckets import Limit, Verdict

#: The number of buckets at which full ones are deleted.
_MOST = 10_000
_lock = Lock()
#: Limit and key -> the monotonic time in seconds at which the bucket is full again.
_full_at: dict[tuple[str, str], float] = {}


def take(limit: Limit, key: str) -> Verdict:
    """Take a token from this process's bucket of `key`."""
    now, interval, bucket = time.monotonic(), limit.window / limit.quota, (limit.name, key)
    with _lock:
        full_at = max(_full_at.get(bucket, now), now) + interval
        wait = full_at - limit.window - now
        if wait > 0.000001:
            return Verdict(limit, allowed=False, remaining=0, wait=math.ceil(wait), counted=False)
        if len(_full_at) >= _MOST:
            for each in [each for each, full in _full_at.items() if full <= now]:
                del _full_at[each]
        _full_at[bucket] = full_at
    return Verdict(limit, allowed=True, remaining=0, wait=0, counted=False)
