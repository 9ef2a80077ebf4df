"""Counts of what happens too often to be written row by row, in the store of all processes."""

import redis

from accounts.rate_limits import counters
from accounts.rate_limits.counters import CountersAway


def add(name: str, field: str) -> None:
    """Count one; counters that do not answer count nothing, and nobody waits for them."""
    try:
        counters.shared().ask(lambda store: store.hincrby(f"tally:{name}", field, 1))
    except CountersAway:
        return


def take(name: str) -> dict[str, int]:
    """What was counted since the last time, which begins anew; empty where there is no answer."""
    try:
        counted = counters.shared().ask(lambda store: _taken(store, f"tally:{name}"))
    except CountersAway:
        return {}
    return {field.decode(): int(number) for field, number in sorted(counted.items())}


def _taken(store: redis.Redis, key: str) -> dict[bytes, bytes]:
    both = store.pipeline()  # a transaction: what is counted meanwhile is kept
    both.hgetall(key)
    both.delete(key)
    found: dict[bytes, bytes] = both.execute()[0]
    return found
