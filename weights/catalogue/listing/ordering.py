"""Orders of the catalogue's list."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db.models import TextChoices

from weights.catalogue.listing.filters import Filters
from weights.catalogue.listing.rows import Row

_UNITS = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
#: A number, optionally with a size unit that no letter follows: 125m, 1.3B, 2.
_NUMBER = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)(?:([kmbt])(?![a-z]))?")


class Order(TextChoices):
    """Orders of a list, each with its label."""

    RELEVANCE = "relevance", "Best match"
    NAME = "name", "Name"
    PARAMETERS = "parameters", "Largest first"
    DOWNLOADS = "downloads", "Most downloads"
    NEWEST = "newest", "Newest first"


def ordered(
    rows: Iterable[Row], order: Order, filters: Filters, downloads: Mapping[int, int]
) -> list[Row]:
    """The rows in this order, and by name if equal."""
    keys: dict[Order, Callable[[Row], Any]] = {
        # Checkpoints whose names contain all words come first, by name.
        Order.RELEVANCE: lambda row: (
            (0, 0.0) if filters.is_named(row) else (1, -filters.ranks.get(row.pk, 0))
        ),
        Order.NAME: lambda row: (),
        Order.PARAMETERS: lambda row: -(row.parameters or 0),
        Order.DOWNLOADS: lambda row: -downloads.get(row.pk, 0),
        Order.NEWEST: lambda row: -_seconds(row.published_at),
    }
    key = keys[order]
    return sorted(rows, key=lambda row: (key(row), _name_key(row), row.pk))


def _name_key(row: Row) -> list[tuple[int, float, str]]:
    if row.name_key is None:
        row.name_key = natural_key(row.repo_id)
    return row.name_key


def natural_key(name: str) -> list[tuple[int, float, str]]:
    """A sort key that compares numbers, and sizes by their unit: OPT-350M, OPT-1.3B, OPT-175B."""
    key: list[tuple[int, float, str]] = []
    text, at = name.casefold(), 0
    for match in _NUMBER.finditer(text):
        key.append((1, 0.0, text[at : match.start()]))
        key.append((0, float(match[1]) * _UNITS.get(match[2] or "", 1), ""))
        at = match.end()
    return [*key, (1, 0.0, text[at:])]


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
