"""How often each checkpoint's files were fetched lately, counted from the ledger."""

import logging
import time
from datetime import timedelta
from typing import Any

import redis
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from weights.models import Download

log = logging.getLogger(__name__)

#: The Hub counts so many days as well.
COUNTED = timedelta(days=30)
_KEY = "download-counts"
# A count is kept for this many times as long as it took, so that however long the ledger
# grows, counting takes a hundredth of a processor; a short ledger is counted each time.
_KEPT = 100


def by_checkpoint() -> dict[int, int]:
    """Downloads of the last 30 days by checkpoint id; a file fetched in parts counts once."""
    known: dict[int, int] | None = _cached()
    if known is not None:
        return known
    started = time.monotonic()
    given = Download.objects.filter(
        outcome__in=[Download.Outcome.SERVED, Download.Outcome.REDIRECTED],
        at__gte=timezone.now() - COUNTED,
        start=0,
        checkpoint_id__isnull=False,
    )
    rows = given.order_by().values_list("checkpoint_id").annotate(Count("pk"))
    counts = {int(pk): int(count) for pk, count in rows if pk is not None}
    _cache(counts, seconds=int((time.monotonic() - started) * _KEPT))
    return counts


def of(checkpoint_id: int) -> int:
    return by_checkpoint().get(checkpoint_id, 0)


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
