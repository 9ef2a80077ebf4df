"""Django's Redis cache with values in JSON, since reading Django's pickles can run code.

A value that is not JSON, is too long or has another Redis type is a miss. While Redis does not
answer, each process counts sign-ins in its memory: docs/security.md#without-the-counters.
"""

import json
import logging
import re
from functools import lru_cache
from typing import Any, NoReturn

from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import ResponseError

from accounts.rate_limits import redis_connection
from accounts.rate_limits.redis_connection import RedisUnavailable

log = logging.getLogger(__name__)

#: Maximum bytes of a value. Our longest, the public statistics, grows by a few kB a month.
MOST_BYTES = 4 * 1024 * 1024
_MISSING = object()
#: Keys under which allauth counts passwords and codes, and stores used codes.
_SIGN_IN_COUNTERS = re.compile(
    r"allauth:rl:allauth\.(account:(login_failed|reauthenticate)|mfa:webauthn_login):"
    r"|allauth\.mfa\.totp\.used"
)


class ValueTooLong(ValueError):
    """The value takes more than MOST_BYTES."""


class JsonSerializer:
    """Stores integers as digits, so that Redis's `incr` and `decr` work on them."""

    def dumps(self, obj: Any) -> Any:
        text = json.dumps(obj, separators=(",", ":"), allow_nan=False)
        if len(text) > MOST_BYTES:  # ASCII, so characters are bytes
            raise ValueTooLong(f"{len(text)} bytes, at most {MOST_BYTES} are cached")
        return text

    def loads(self, data: Any) -> Any:
        """Raises ValueError or RecursionError for what is not JSON."""
        if len(data) > MOST_BYTES:
            raise ValueTooLong(f"more than {MOST_BYTES} bytes")
        return json.loads(data.decode("ascii"), parse_constant=_refuse_constant)


class JsonCacheClient(RedisCacheClient):
    _serializer: JsonSerializer

    def __init__(self, servers: list[str], **options: Any) -> None:
        super().__init__(servers, serializer=JsonSerializer, **options)

    def get(self, key: Any, default: Any) -> Any:
        try:
            data = self._read(key)
            return self._serializer.loads(data) if data else default
        except (ValueError, RecursionError) as error:
            _warn_once(_public_part(key), f"{type(error).__name__}: {error}"[:200])
            return default

    def _read(self, key: str) -> bytes:
        """At most MOST_BYTES + 1 bytes of the value; empty if the key is missing."""
        try:
            data: Any = self.get_client(key).getrange(key, 0, MOST_BYTES)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            raise ValueError("not a string of Redis") from error
        return bytes(data)

    def get_many(self, keys: Any) -> dict[Any, Any]:
        found = {key: self.get(key, _MISSING) for key in keys}
        return {key: value for key, value in found.items() if value is not _MISSING}

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        """Store the value; delete the key of one that is too long."""
        try:
            super().set(key, value, timeout)
        except ValueTooLong as error:
            _warn_once(_public_part(key), str(error))
            self.delete(key)


class JsonCache(RedisCache):
    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = JsonCacheClient
        self._in_process = LocMemCache("sign-ins", {"OPTIONS": {"MAX_ENTRIES": 10_000}})

    def add(self, key: str, *args: Any, **options: Any) -> Any:
        return self._or_in_process("add", key, *args, **options)

    def get(self, key: str, *args: Any, **options: Any) -> Any:
        return self._or_in_process("get", key, *args, **options)

    def set(self, key: str, *args: Any, **options: Any) -> Any:
        return self._or_in_process("set", key, *args, **options)

    def delete(self, key: str, *args: Any, **options: Any) -> Any:
        return self._or_in_process("delete", key, *args, **options)

    def _or_in_process(self, method: str, key: str, *args: Any, **options: Any) -> Any:
        """Call the method on Redis; if it is unavailable, count sign-ins in this process."""
        in_redis = getattr(super(), method)
        if not _SIGN_IN_COUNTERS.match(key):
            return in_redis(key, *args, **options)
        try:
            return redis_connection.shared().run(lambda _: in_redis(key, *args, **options))
        except RedisUnavailable:
            return getattr(self._in_process, method)(key, *args, **options)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _public_part(key: str) -> str:
    """The key without the network address that allauth's limits end with."""
    return key.partition(":ip:")[0]


@lru_cache(maxsize=256)
def _warn_once(key: str, problem: str) -> None:
    log.warning("the cache entry %s is unusable and will be replaced: %s", key, problem)
