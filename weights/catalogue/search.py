"""Find checkpoints: those a person may know of, narrowed, ordered, a page at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from django.db.models import CharField, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Concat

from accounts.tiers.access_modes import AccessMode
from accounts.users.models import User
from weights.catalogue import contents, download_counts
from weights.catalogue.models import Checkpoint, FileFacts
from weights.catalogue.models.checkpoint import CheckpointQuerySet
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

_CURSOR = re.compile(r"(-?[0-9]{1,18}):([0-9]{1,18})")
_MOST_WORDS = 20


class Order(Enum):
    """By what the largest comes first."""

    CREATED = "created"
    MODIFIED = "modified"
    DOWNLOADS = "downloads"
    NAME = "name"


@dataclass(frozen=True)
class Search:
    """What is looked for; everything given must hold."""

    text: str = ""
    org: str = ""
    tags: Sequence[str] = ()
    pipeline_tag: str = ""
    gated: bool | None = None
    least_parameters: int | None = None
    most_parameters: int | None = None
    order: Order = Order.DOWNLOADS


@dataclass(frozen=True)
class Found:
    """One line: the checkpoint with its tier, and the revision that `main` points at."""

    checkpoint: Checkpoint
    revision: Revision | None
    contents: contents.Contents
    downloads: int


@dataclass(frozen=True)
class Page:
    """`after` asks for the next page; empty on the last."""

    found: list[Found]
    after: str


def page(search: Search, user: User | None, *, after: str = "", most: int) -> Page:
    """Up to `most` published checkpoints that follow `after`: at most eight queries.

    The order is made here and not by the database, since downloads come from the ledger;
    what is ordered are two numbers a checkpoint. A page begins after the last one's place
    in the order, so what is published meanwhile neither repeats nor hides a line.
    """
    counts = download_counts.by_checkpoint()
    keys = sorted(_keys(search, user, counts))
    if (found := _CURSOR.fullmatch(after)) is not None:
        place = (int(found[1]), int(found[2]))
        keys = [key for key in keys if key > place]
    shown = keys[:most]
    lines = _lines([pk for _, pk in shown], counts)
    end = f"{shown[-1][0]}:{shown[-1][1]}" if len(keys) > most else ""
    return Page(lines, end)


# -- which --------------------------------------------------------------------------------


def _keys(search: Search, user: User | None, counts: dict[int, int]) -> list[tuple[int, int]]:
    """Place and id of each checkpoint found; the smallest place comes first."""
    which = _narrowed(Checkpoint.objects.visible_to(user).published(), search)
    told = which.values_list("pk", "created_at", "published_at", F("main_at"))
    rows = list(told.order_by("pk"))
    if search.least_parameters is not None or search.most_parameters is not None:
        sized = _of_size([pk for pk, *_ in rows], search)
        rows = [row for row in rows if row[0] in sized]
    if search.order is Order.DOWNLOADS:
        return [(-counts.get(pk, 0), pk) for pk, *_ in rows]
    if search.order is Order.CREATED:
        return [(-_moment(created), pk) for pk, created, *_ in rows]
    if search.order is Order.MODIFIED:
        return [(-_moment(main or published), pk) for pk, _, published, main in rows]
    return [(0, pk) for pk, *_ in rows]


def _narrowed(which: CheckpointQuerySet, search: Search) -> CheckpointQuerySet:
    """Those that everything asked for holds of, with the moment of their `main`."""
    main = Ref.objects.filter(
        checkpoint=OuterRef("pk"), name="main", revision__state=Revision.State.VISIBLE
    )
    which = which.annotate(
        main_id=Subquery(main.values("revision_id")[:1]),
        main_at=Subquery(main.values("revision__visible_at")[:1]),
        full_name=Concat("org", Value("/"), "name", output_field=CharField()),
    )
    for word in search.text.split()[:_MOST_WORDS]:
        which = which.filter(Q(full_name__icontains=word) | Q(title__icontains=word))
    if search.org:
        which = which.filter(org__iexact=search.org)
    if search.gated is not None:
        is_open = Q(tier__mode=AccessMode.OPEN)
        which = which.filter(~is_open if search.gated else is_open)
    if search.tags or search.pipeline_tag:
        which = which.filter(main_id__in=_with_card(search).values("revision_id"))
    return which


def _with_card(search: Search) -> QuerySet[File]:
    """The cards that bear every tag asked for."""
    cards = FileFacts.objects.filter(kind=FileFacts.Kind.CARD)
    for tag in search.tags:
        cards = cards.filter(tags__contains=f"\n{contents.searched(tag)}\n")
    if search.pipeline_tag:
        cards = cards.filter(pipeline_tag=search.pipeline_tag)
    verified = File.objects.filter(path="README.md", blob__state=Blob.State.VERIFIED)
    return verified.filter(blob__in=cards.values("blob_id"))


def _of_size(pks: list[int], search: Search) -> set[int]:
    """Those whose number of parameters is known and lies between the bounds."""
    least = search.least_parameters or 0
    most = search.most_parameters
    lines = _lines(pks, {})
    sizes = {one.checkpoint.pk: one.checkpoint.parameters or one.contents.total for one in lines}
    return {pk for pk, n in sizes.items() if n and n >= least and (most is None or n <= most)}


def _moment(at: datetime | None) -> int:
    return int(at.timestamp() * 1_000_000) if at else 0


# -- what of them -------------------------------------------------------------------------


def _lines(pks: list[int], counts: dict[int, int]) -> list[Found]:
    """The checkpoints of these ids, in their order: three queries."""
    checkpoints = Checkpoint.objects.select_related("tier").in_bulk(pks)
    refs = Ref.objects.filter(checkpoint__in=pks, name="main")
    visible = refs.filter(revision__state=Revision.State.VISIBLE).select_related("revision")
    mains = {ref.checkpoint_id: ref.revision for ref in visible}
    known = contents.of_revisions([revision.pk for revision in mains.values()])
    lines = []
    for checkpoint in (checkpoints[pk] for pk in pks if pk in checkpoints):
        main = mains.get(checkpoint.pk)
        told = known[main.pk] if main else contents.Contents()
        lines.append(Found(checkpoint, main, told, counts.get(checkpoint.pk, 0)))
    return lines
