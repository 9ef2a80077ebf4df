"""Downloads of each checkpoint in the last 30 days, counted from the ledger.

However many files, parts and repeats: one caller, one revision and one day (UTC) are one download.
A caller is an account, or without one a network.
"""

import logging
import time
from collections import Counter
from datetime import UTC, timedelta
from typing import Any

import redis
from django.core.cache import cache
from django.db.models import CharField
from django.db.models.functions import Cast, Coalesce, TruncDate
from django.utils import timezone

from weights.ledger.models import Download

log = logging.getLogger(__name__)

#: The Hub counts so many days as well.
COUNTED = timedelta(days=30)
_KEY = "download-counts"
# A count is kept for this many times as long as it took, so that however long the ledger
# grows, counting takes a hundredth of a processor; a short ledger is counted each time.
_KEPT = 100


def by_checkpoint() -> dict[int, int]:
    """Downloads of the last 30 days by checkpoint id."""
    counts = _cached()
    if counts is not None:
        return counts
    started = time.monotonic()
    counts = _count()
    _cache(counts, seconds=int((time.monotonic() - started) * _KEPT))
    return counts


def of(checkpoint_id: int) -> int:
    return by_checkpoint().get(checkpoint_id, 0)


def _count() -> dict[int, int]:
    rows = Download.objects.filter(
        outcome__in=[Download.Outcome.SERVED, Download.Outcome.REDIRECTED],
        at__gte=timezone.now() - COUNTED,
        checkpoint_id__isnull=False,
    )
    who = Coalesce(Cast("user_id", CharField()), "network")
    downloads = rows.annotate(who=who, day=TruncDate("at", tzinfo=UTC)).order_by()
    distinct = downloads.values_list("checkpoint_id", "revision", "who", "day").distinct()
    return dict(Counter(int(pk) for pk, *_ in distinct.iterator() if pk is not None))


def _cached() -> dict[int, int] | None:
    try:
        return _counts(cache.get(_KEY))
    except redis.RedisError as error:
        log.warning("the cache does not answer: %s", error)
        return None


def _counts(value: Any) -> dict[int, int] | None:
    """The counts of their JSON value, in which ids are text; None if it is something else."""
    if not isinstance(value, dict):
        return None
    try:
        return {int(pk): int(count) for pk, count in value.items()}
    except (TypeError, ValueError):
        return None


def _cache(counts: dict[int, int], *, seconds: int) -> None:
    if not seconds:
        return
    try:
        cache.set(_KEY, counts, seconds)
    except redis.RedisError as error:
        log.warning("the cache does not answer: %s", error)
