"""Reads the values by which lists of visible checkpoints are filtered and ordered."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import Exists, FilteredRelation, OuterRef, Q

from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, Tier
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint, CheckpointQuerySet, FileFacts
from weights.publishing.models import File, Revision
from weights.storage.models import Blob
from weights.web.process_copy import ProcessCopy

#: With at least this many checkpoints, each process keeps a copy of their rows.
LARGE = 1000
#: Sets of visible rows that a copy caches; everyone without a role shares one.
_MOST_VIEWS = 20

_FIELDS = (
    *("pk", "org", "name", "title", "summary", "parameters", "created_at", "published_at"),
    *("private", "embargo_until"),
    *("tier_id", "tier__slug", "tier__mode", "licence_id", "licence_code", "family__slug"),
    *("main__revision_id", "main__revision__state", "main__revision__visible_at"),
    *("main__revision__licence", "main__revision__measured__parameters"),
    "main__revision__measured__formats",
)


@dataclass(slots=True)
class Row:
    """One checkpoint; `main_*` and `formats` describe the visible revision of `main`.

    `parameters` are counted from its files, else declared.
    """

    pk: int
    repo_id: str
    names: str
    parameters: int | None
    created_at: datetime
    published_at: datetime | None
    #: True if it was private or had an embargo when it was read.
    is_restricted: bool
    tier: str
    is_gated: bool
    family: str
    main_id: int | None
    main_at: datetime | None
    formats: tuple[str, ...]
    #: Code and title of the licence; empty if none is stated.
    licence: tuple[str, str] = ("", "")
    task: str = ""
    tags: frozenset[str] = frozenset()
    #: Facet values and the sort key of the name, cached on first use.
    facet_values: tuple[tuple[str, ...], ...] | None = None
    name_key: list[tuple[int, float, str]] | None = None

    @property
    def org(self) -> str:
        return self.repo_id.partition("/")[0]


@dataclass
class VisibleRows:
    """The rows that a caller may see; requests share them if the catalogue is large."""

    rows: list[Row]
    #: Results of recent searches, by their parameters.
    results: dict[Any, Any] = field(default_factory=dict)
    #: All rows grouped by facet values, cached on first use.
    groups: dict[Any, list[Row]] | None = None


class _Rows:
    """All rows of a large catalogue by id. Who may see them is queried at each request."""

    def __init__(self, rows: dict[int, Row]) -> None:
        self.rows = rows
        self.newest = max(self.rows, default=0)
        self.restricted = {pk for pk, row in self.rows.items() if row.is_restricted}
        self._visible: dict[frozenset[int], VisibleRows] = {}

    def visible(self, hidden: frozenset[int]) -> VisibleRows:
        """All rows except the hidden ones."""
        found = self._visible.get(hidden)
        if found is None:
            found = VisibleRows([row for pk, row in self.rows.items() if pk not in hidden])
            if len(self._visible) >= _MOST_VIEWS:
                self._visible.clear()
            self._visible[hidden] = found
        return found


#: As stale as the search documents may be.
_copy = ProcessCopy[_Rows](seconds=20)


def visible_rows(
    visible: CheckpointQuerySet, *, with_cards: bool = True, with_licences: bool = True
) -> VisibleRows:
    """The rows of `visible`, which must be the result of `visible_to`: one query.

    Task and tags, from cards, take one more query; licences take two. In a large catalogue, rows
    come from a copy in this process; one query then finds new checkpoints, and which private and
    embargoed ones are in `visible` (every caller may see all others).
    """
    copied = _copy.get()
    if copied is None:
        found = read(visible, with_cards=with_cards, with_licences=with_licences)
        if with_cards and with_licences and len(found) >= LARGE:
            _copy.keep(_Rows({row.pk: row for row in found}))
        return VisibleRows(found)
    checked = dict(
        Checkpoint.objects.restricted_or_after(copied.newest)
        .order_by()
        .values_list("pk", Exists(visible.filter(pk=OuterRef("pk"))))
    )
    if new := [pk for pk, is_visible in checked.items() if is_visible and pk not in copied.rows]:
        found = read(visible.filter(pk__in=new), with_cards=True, with_licences=True)
        copied = _Rows(copied.rows | {row.pk: row for row in found})
        _copy.correct(copied)
    hidden = {pk for pk, is_visible in checked.items() if not is_visible}
    # The copy may still contain a private draft that was deleted meanwhile; hide it.
    return copied.visible(frozenset(hidden | (copied.restricted - checked.keys())))


def read(visible: CheckpointQuerySet, *, with_cards: bool, with_licences: bool) -> list[Row]:
    """The row of each checkpoint in `visible`, as `visible_rows` reads them."""
    named = visible.annotate(main=FilteredRelation("refs", condition=Q(refs__name="main")))
    read = named.order_by().values_list(*_FIELDS)
    values = [dict(zip(_FIELDS, one, strict=True)) for one in read]
    found = [_row(one) for one in values]
    if with_cards:
        _add_cards(found)
    if with_licences:
        licence_of = _licences()
        for row, one in zip(found, values, strict=True):
            row.licence = licence_of(one, row.main_id is not None)
    return found


def _row(values: dict[str, Any]) -> Row:
    is_visible = values["main__revision__state"] == Revision.State.VISIBLE
    measured = values["main__revision__measured__parameters"] if is_visible else None
    repo_id = f"{values['org']}/{values['name']}"
    return Row(
        pk=values["pk"],
        repo_id=repo_id,
        names=f"{repo_id}\n{values['title']}\n{values['summary']}".casefold(),
        parameters=measured or values["parameters"],
        created_at=values["created_at"],
        published_at=values["published_at"],
        is_restricted=values["private"] or values["embargo_until"] is not None,
        tier=values["tier__slug"],
        is_gated=values["tier__mode"] != AccessMode.OPEN,
        family=values["family__slug"] or "",
        main_id=values["main__revision_id"] if is_visible else None,
        main_at=values["main__revision__visible_at"] if is_visible else None,
        formats=tuple(values["main__revision__measured__formats"] or ()) if is_visible else (),
    )


def _add_cards(found: list[Row]) -> None:
    """Adds task and tags of the verified README.md of each `main`: one query."""
    cards = File.objects.filter(
        path="README.md",
        revision__refs__name="main",
        blob__state=Blob.State.VERIFIED,
        blob__facts__kind=FileFacts.Kind.CARD,
    )
    if len(found) < LARGE:  # only an organisation's rows, or new ones
        cards = cards.filter(revision__in=[row.main_id for row in found if row.main_id])
    values = cards.values_list("revision_id", "blob__facts__pipeline_tag", "blob__facts__tags")
    by_revision = {pk: (task, tags) for pk, task, tags in values.order_by()}
    for row in found:
        task, tags = by_revision.get(row.main_id or 0, ("", ""))
        row.task, row.tags = task, frozenset(tag for tag in tags.split("\n") if tag)


def _licences() -> Callable[[dict[str, Any], bool], tuple[str, str]]:
    """A function that returns code and title of a row's licence: two queries.

    It applies the rule of the checkpoint's page once for each of the few combinations.
    """
    tiers = Tier.objects.select_related("licence").in_bulk()
    texts = Licence.objects.in_bulk()

    @cache
    def stated(tier: int, licence: int | None, code: str, card: tuple[Any, ...]) -> tuple[str, str]:
        text = texts[licence] if licence else None
        checkpoint = Checkpoint(tier=tiers[tier], licence=text, licence_code=code)
        found = licences.with_card(checkpoint, dict(card))
        return (found.code, found.title) if found else ("", "")

    def of_values(values: dict[str, Any], has_main: bool) -> tuple[str, str]:
        card = values["main__revision__licence"] if has_main else None
        return stated(
            values["tier_id"],
            values["licence_id"],
            values["licence_code"],
            tuple(sorted((card or {}).items())),
        )

    return of_values
