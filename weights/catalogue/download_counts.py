"""Downloads of each checkpoint in the last 30 days, counted from the ledger.

All requests of one caller for one revision on one day (UTC) count as one download, whatever the
number of files, ranges and repeats. A caller is an account, or a network without an account.
"""

import time
from collections import Counter
from datetime import UTC, timedelta
from typing import Any

from django.db.models import CharField
from django.db.models.functions import Cast, Coalesce, TruncDate
from django.utils import timezone

from weights.ledger.models import Download
from weights.web import quiet_cache
from weights.web.process_copy import ProcessCopy

#: The Hub counts the same number of days.
PERIOD = timedelta(days=30)
_KEY = "download-counts"
# Counts are cached for this many times as long as counting took, so that counting uses at most a
# hundredth of a processor. A short ledger takes no time and is counted at each request.
_CACHE_FACTOR = 100
#: With at least this many checkpoints, each process keeps a copy of the counts, since reading
#: them from the cache would take as long as rendering a page.
_LARGE = 1000
_copy = ProcessCopy[dict[int, int]](seconds=20)


def by_checkpoint() -> dict[int, int]:
    """Downloads of the last 30 days by checkpoint id."""
    if copied := _copy.get():
        return copied
    counts = _parse(quiet_cache.get(_KEY))
    if counts is not None:
        if len(counts) >= _LARGE:
            _copy.keep(counts)
        return counts
    started = time.monotonic()
    counts = _count()
    if seconds := int((time.monotonic() - started) * _CACHE_FACTOR):
        quiet_cache.put(_KEY, counts, seconds)
    return counts


def of_checkpoint(checkpoint_id: int) -> int:
    return by_checkpoint().get(checkpoint_id, 0)


def _count() -> dict[int, int]:
    recent = Download.objects.fetched().filter(at__gte=timezone.now() - PERIOD)
    rows = recent.filter(checkpoint_id__isnull=False)
    caller = Coalesce(Cast("user_id", CharField()), "network")
    downloads = rows.annotate(caller=caller, day=TruncDate("at", tzinfo=UTC)).order_by()
    distinct = downloads.values_list("checkpoint_id", "revision", "caller", "day").distinct()
    return dict(Counter(int(pk) for pk, *_ in distinct.iterator() if pk is not None))


def _parse(value: Any) -> dict[int, int] | None:
    """The counts of a cached JSON object, whose keys are text; None for any other value."""
    if not isinstance(value, dict):
        return None
    try:
        return {int(pk): int(count) for pk, count in value.items()}
    except (TypeError, ValueError):
        return None
