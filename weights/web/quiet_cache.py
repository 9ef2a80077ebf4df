"""The cache for values that can be recomputed. While Redis does not answer, it acts as empty."""

import logging
from typing import Any

import redis
from django.core.cache import cache

log = logging.getLogger(__name__)


def get(key: str) -> Any:
    """The cached value, or None."""
    try:
        return cache.get(key)
    except redis.RedisError as error:
        log.warning("the cache does not answer: %s", error)
        return None


def put(key: str, value: Any, seconds: int) -> None:
    """Cache the value for `seconds`, if Redis answers."""
    try:
        cache.set(key, value, seconds)
    except redis.RedisError as error:
        log.warning("the cache does not answer: %s", error)
