"""Django's Redis cache with JSON values: reading a pickle, as Django does, runs code.

A value that is not JSON, is too long or has another Redis type is a miss.
"""

import json
import logging
from functools import lru_cache
from typing import Any, NoReturn

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import ResponseError

log = logging.getLogger(__name__)

#: The most bytes of a value. Our longest, the public statistics, grow by a few kB a month.
MOST_BYTES = 4 * 1024 * 1024
_MISSING = object()


class ValueTooLong(ValueError):
    """The value takes more than MOST_BYTES."""


class JsonSerializer:
    """Integers are stored as digits, with which Redis counts, so `incr` and `decr` work on them."""

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


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _public_part(key: str) -> str:
    """The key without the network address that allauth's limits end with."""
    return key.partition(":ip:")[0]


@lru_cache(maxsize=256)
def _warn_once(key: str, problem: str) -> None:
    log.warning("the cache entry %s is unusable and will be replaced: %s", key, problem)
