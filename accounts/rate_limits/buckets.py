"""Rate limits: token buckets in Redis, shared by all processes.

A bucket has `quota` tokens and refills evenly over `window` seconds (the generic cell rate
algorithm, ITU-T I.371), so that Retry-After is exact.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from redis.commands.core import Script

from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable

# A stored time more than two windows ahead is invalid and ignored. Two windows leave room for a
# clock that was set back.
_READ = """
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local interval = ARGV[2] / ARGV[1]
local full_at = tonumber(redis.pcall('GET', KEYS[1])) or now
if not (full_at > now and full_at < now + 2 * ARGV[2]) then full_at = now end
"""

_TAKE = f"""{_READ}
local wait = full_at + interval - ARGV[2] - now
if wait > 0.000001 then return {{0, tostring(wait)}} end
full_at = full_at + interval
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000))
return {{math.floor((ARGV[2] - (full_at - now)) / interval + 1.000001), '0'}}
"""

_GIVE_BACK = f"""{_READ}
full_at = full_at - interval
if full_at <= now then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], string.format('%.6f', full_at), 'PX', math.ceil((full_at - now) * 1000))
"""


@dataclass(frozen=True)
class Limit:
    """At most `quota` requests at once, refilled over `window` seconds."""

    name: str
    quota: int
    window: int


# docs/requirements.md, AC. A checkpoint of 992 shards is about 2000 requests.
DOWNLOADS_ANONYMOUS = Limit("resolve", 3000, 300)
DOWNLOADS_SIGNED_IN = Limit("resolve", 12000, 300)
API_ANONYMOUS = Limit("api", 600, 300)
API_SIGNED_IN = Limit("api", 6000, 300)
#: Per network address.
REPORTS = Limit("report", 5, 3600)
#: Proofs on the public page, per network address; each reads some hundred hashes.
PROOFS = Limit("proof", 300, 300)
WRONG_TOKENS = Limit("token", 30, 60)
#: For all users together; allauth limits each name and network address.
SIGN_INS = Limit("sign-in", 1000, 300)
SECOND_FACTOR = (Limit("code", 5, 300), Limit("code-hour", 20, 3600))


@dataclass(frozen=True)
class Verdict:
    """The result of `take`: `remaining` further requests, or whole seconds to `wait`."""

    limit: Limit
    allowed: bool
    remaining: int
    wait: int
    #: False if Redis is unavailable. Callers that must not fail open then refuse.
    counted: bool = True


def take(limit: Limit, key: str) -> Verdict:
    """Take a token from the bucket of `key`. Allows the request if Redis is unavailable."""
    try:
        left, wait = _run(_TAKE, limit, key)
    except RedisUnavailable:
        return Verdict(limit, allowed=True, remaining=0, wait=0, counted=False)
    if not left:
        return Verdict(limit, allowed=False, remaining=0, wait=math.ceil(float(wait)))
    return Verdict(limit, allowed=True, remaining=int(left) - 1, wait=0)


def give_back(limit: Limit, key: str) -> None:
    """Put a token back into the bucket of `key`; do nothing if Redis is unavailable."""
    with suppress(RedisUnavailable):
        _run(_GIVE_BACK, limit, key)


def _run(source: str, limit: Limit, key: str) -> Any:
    keys, arguments = [f"rate:{limit.name}:{key}"], [limit.quota, limit.window]
    return redis_connection.shared().run(
        lambda store: _script(store, source)(keys=keys, args=arguments)
    )


def headers(verdict: Verdict) -> dict[str, str]:
    """Return the headers of a 429 response: Retry-After, and the policy for the Hub client."""
    limit = verdict.limit
    return {
        "Retry-After": str(verdict.wait),
        "RateLimit": f'"{limit.name}";r=0;t={verdict.wait}',
        "RateLimit-Policy": f'"fixed window";"{limit.name}";q={limit.quota};w={limit.window}',
    }


@cache
def _script(store: redis.Redis, source: str) -> Script:
    return store.register_script(source)
