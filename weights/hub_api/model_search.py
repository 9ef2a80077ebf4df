"""Search of the published checkpoints that a caller may see: order and cursor pagination."""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from weights.catalogue import download_counts, file_facts
from weights.catalogue.file_facts import RevisionFacts
from weights.catalogue.listing import Filters, Row, visible_rows
from weights.catalogue.models import Checkpoint, CheckpointQuerySet
from weights.publishing.models import Ref, Revision

_CURSOR = re.compile(r"(-?[0-9]{1,18}):([0-9]{1,18})")


class Order(Enum):
    """Sort orders: newest or most first, or by name."""

    CREATED = "created"
    MODIFIED = "modified"
    DOWNLOADS = "downloads"
    NAME = "name"


@dataclass(frozen=True)
class SearchResult:
    """A checkpoint with its tier, the visible revision of `main`, and downloads in 30 days."""

    checkpoint: Checkpoint
    revision: Revision | None
    facts: RevisionFacts
    downloads: int


@dataclass(frozen=True)
class Page:
    """One page of results; `next_cursor` is empty on the last page."""

    results: list[SearchResult]
    next_cursor: str


def page(
    filters: Filters, order: Order, visible: CheckpointQuerySet, *, cursor: str = "", size: int
) -> Page:
    """Returns up to `size` published results that follow `cursor`: at most ten queries.

    `visible` is the result of `visible_to`. Sorting happens in Python, since download counts come
    from the ledger. A cursor is the sort key of the last result, so checkpoints published meanwhile
    do not cause repeated or skipped results.
    """
    counts = download_counts.by_checkpoint()
    with_cards = bool(filters.tags or filters.facets)
    found = visible_rows(visible, with_cards=with_cards, with_licences=False).rows
    published = [row for row in found if row.published_at is not None]
    keys = sorted((_rank(row, order, counts), row.pk) for row in filters.matching_all(published))
    if (match := _CURSOR.fullmatch(cursor)) is not None:
        last = (int(match[1]), int(match[2]))
        keys = [key for key in keys if key > last]
    shown = keys[:size]
    results = _results([pk for _, pk in shown], counts)
    next_cursor = f"{shown[-1][0]}:{shown[-1][1]}" if len(keys) > size else ""
    return Page(results, next_cursor)


def _rank(row: Row, order: Order, counts: dict[int, int]) -> int:
    """The smallest rank comes first."""
    if order is Order.DOWNLOADS:
        return -counts.get(row.pk, 0)
    if order is Order.CREATED:
        return -_microseconds(row.created_at)
    if order is Order.MODIFIED:
        return -_microseconds(row.main_at or row.published_at)
    return 0


def _microseconds(at: datetime | None) -> int:
    return int(at.timestamp() * 1_000_000) if at else 0


def _results(pks: list[int], counts: dict[int, int]) -> list[SearchResult]:
    """The checkpoints of these ids, in their order: three queries."""
    checkpoints = Checkpoint.objects.select_related("tier").in_bulk(pks)
    refs = Ref.objects.filter(checkpoint__in=pks, name="main")
    visible = refs.filter(revision__state=Revision.State.VISIBLE).select_related(
        "revision__measured"
    )
    mains = {ref.checkpoint_id: ref.revision for ref in visible}
    facts = file_facts.stored_facts(mains.values())
    return [
        SearchResult(
            checkpoints[pk],
            mains.get(pk),
            facts[mains[pk].pk] if pk in mains else RevisionFacts(),
            counts.get(pk, 0),
        )
        for pk in pks
        if pk in checkpoints
    ]
