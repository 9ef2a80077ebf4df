"""Search of the published checkpoints that a caller may see: filters, order, cursor pagination."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from accounts.tiers.access_modes import AccessMode
from weights.catalogue import download_counts, file_facts
from weights.catalogue.file_facts import RevisionFacts
from weights.catalogue.measured import parameters_of
from weights.catalogue.models import Checkpoint, CheckpointQuerySet, FileFacts
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

_CURSOR = re.compile(r"(-?[0-9]{1,18}):([0-9]{1,18})")
_MAX_WORDS = 20


class Order(Enum):
    """Sort orders: newest or most first, or by name."""

    CREATED = "created"
    MODIFIED = "modified"
    DOWNLOADS = "downloads"
    NAME = "name"


@dataclass(frozen=True)
class Search:
    """Filters, which are combined with AND, and the order."""

    text: str = ""
    org: str = ""
    tags: Sequence[str] = ()
    pipeline_tag: str = ""
    gated: bool | None = None
    least_parameters: int | None = None
    most_parameters: int | None = None
    order: Order = Order.DOWNLOADS


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


def page(search: Search, visible: CheckpointQuerySet, *, cursor: str = "", size: int) -> Page:
    """Returns up to `size` results among `visible` that follow `cursor`: at most eight queries.

    Sorting happens in Python, since download counts come from the ledger; each checkpoint takes
    two numbers. A cursor is the sort key of the last result, so checkpoints published meanwhile
    neither repeat nor hide a result.
    """
    counts = download_counts.by_checkpoint()
    keys = sorted(_sort_keys(search, visible, counts))
    if (match := _CURSOR.fullmatch(cursor)) is not None:
        last = (int(match[1]), int(match[2]))
        keys = [key for key in keys if key > last]
    shown = keys[:size]
    results = _results([pk for _, pk in shown], counts)
    next_cursor = f"{shown[-1][0]}:{shown[-1][1]}" if len(keys) > size else ""
    return Page(results, next_cursor)


def _sort_keys(
    search: Search, visible: CheckpointQuerySet, counts: dict[int, int]
) -> list[tuple[int, int]]:
    """(rank, id) of each matching checkpoint; the smallest rank comes first."""
    matching = _filtered(visible.published(), search)
    rows = list(
        matching.order_by("pk").values_list("pk", "created_at", "published_at", F("main_at"))
    )
    if search.least_parameters is not None or search.most_parameters is not None:
        within = _within_bounds([pk for pk, *_ in rows], search)
        rows = [row for row in rows if row[0] in within]
    if search.order is Order.DOWNLOADS:
        return [(-counts.get(pk, 0), pk) for pk, *_ in rows]
    if search.order is Order.CREATED:
        return [(-_microseconds(created), pk) for pk, created, *_ in rows]
    if search.order is Order.MODIFIED:
        return [(-_microseconds(main or published), pk) for pk, _, published, main in rows]
    return [(0, pk) for pk, *_ in rows]


def _filtered(checkpoints: CheckpointQuerySet, search: Search) -> CheckpointQuerySet:
    """Applies all filters but the number of parameters; annotates when `main` became visible."""
    main = Ref.objects.filter(
        checkpoint=OuterRef("pk"), name="main", revision__state=Revision.State.VISIBLE
    )
    checkpoints = checkpoints.annotate(
        main_id=Subquery(main.values("revision_id")[:1]),
        main_at=Subquery(main.values("revision__visible_at")[:1]),
        full_name=Concat("org", Value("/"), "name", output_field=CharField()),
    )
    for word in search.text.split()[:_MAX_WORDS]:
        checkpoints = checkpoints.filter(Q(full_name__icontains=word) | Q(title__icontains=word))
    if search.org:
        checkpoints = checkpoints.filter(org__iexact=search.org)
    if search.gated is not None:
        is_open = Q(tier__mode=AccessMode.OPEN)
        checkpoints = checkpoints.filter(~is_open if search.gated else is_open)
    if search.tags or search.pipeline_tag:
        checkpoints = checkpoints.filter(main_id__in=_tagged_cards(search).values("revision_id"))
    return checkpoints


def _tagged_cards(search: Search) -> QuerySet[File]:
    """README.md files whose front matter has all the tags."""
    cards = FileFacts.objects.filter(kind=FileFacts.Kind.CARD)
    for tag in search.tags:
        cards = cards.filter(tags__contains=f"\n{file_facts.normalize_tag(tag)}\n")
    if search.pipeline_tag:
        cards = cards.filter(pipeline_tag=search.pipeline_tag)
    verified = File.objects.filter(path="README.md", blob__state=Blob.State.VERIFIED)
    return verified.filter(blob__in=cards.values("blob_id"))


def _within_bounds(pks: list[int], search: Search) -> set[int]:
    """Ids of checkpoints whose number of parameters is known and within the bounds."""
    least, most = search.least_parameters or 0, search.most_parameters
    sizes = {
        result.checkpoint.pk: parameters_of(result.checkpoint, result.facts.measured)
        for result in _results(pks, {})
    }
    return {pk for pk, n in sizes.items() if n and n >= least and (most is None or n <= most)}


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
