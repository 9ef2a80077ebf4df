"""Reads the values of each visible checkpoint by which lists are filtered and ordered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from django.db.models import FilteredRelation, Q

from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, Tier
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint, CheckpointQuerySet, FileFacts
from weights.publishing.models import File, Revision
from weights.storage.models import Blob

_FIELDS = (
    *("pk", "org", "name", "title", "summary", "parameters", "created_at", "published_at"),
    *("tier_id", "tier__slug", "tier__mode", "licence_id", "licence_code", "family__slug"),
    *("main__revision_id", "main__revision__state", "main__revision__visible_at"),
    *("main__revision__licence", "main__revision__measured__parameters"),
    "main__revision__measured__formats",
)


@dataclass(slots=True)
class Row:
    """One checkpoint; `main_*` and `formats` are those of the visible revision of `main`.

    `parameters` are counted from its files, else declared.
    """

    pk: int
    repo_id: str
    names: str
    parameters: int | None
    created_at: datetime
    published_at: datetime | None
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

    @property
    def org(self) -> str:
        return self.repo_id.partition("/")[0]


def rows(
    visible: CheckpointQuerySet, *, with_cards: bool = True, with_licences: bool = True
) -> list[Row]:
    """The row of each checkpoint in `visible`: one query.

    Task and tags, from cards, take one query more; licences take two.
    """
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
        tier=values["tier__slug"],
        is_gated=values["tier__mode"] != AccessMode.OPEN,
        family=values["family__slug"] or "",
        main_id=values["main__revision_id"] if is_visible else None,
        main_at=values["main__revision__visible_at"] if is_visible else None,
        formats=tuple(values["main__revision__measured__formats"] or ()) if is_visible else (),
    )


def _add_cards(found: Iterable[Row]) -> None:
    """Adds task and tags of the verified README.md of each `main`: one query."""
    cards = File.objects.filter(
        path="README.md",
        revision__refs__name="main",
        blob__state=Blob.State.VERIFIED,
        blob__facts__kind=FileFacts.Kind.CARD,
    ).values_list("revision_id", "blob__facts__pipeline_tag", "blob__facts__tags")
    by_revision = {pk: (task, tags) for pk, task, tags in cards.order_by()}
    for row in found:
        task, tags = by_revision.get(row.main_id or 0, ("", ""))
        row.task, row.tags = task, frozenset(tag for tag in tags.split("\n") if tag)


def _licences() -> Callable[[dict[str, Any], bool], tuple[str, str]]:
    """A function of a row's values that returns code and title of its licence: two queries.

    Few combinations occur, so each is decided once by the rule of the checkpoint's page.
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
