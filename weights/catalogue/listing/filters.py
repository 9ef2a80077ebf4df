"""The filters of the catalogue's list, and the checkpoints that match them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django.http import QueryDict

from accounts.web.sanitize import storable
from weights.catalogue.file_facts import normalize_tag
from weights.catalogue.listing.rows import Row
from weights.catalogue.search import ranks

MAX_TEXT, _MAX_VALUES = 200, 50
#: Facet -> label, in the order of display. The parameters of a URL have the same names.
FACETS = {
    "task": "Task",
    "licence": "Licence",
    "size": "Parameters",
    "format": "Format",
    "tier": "Access tier",
}
#: Size class -> label and lower bound in parameters; the next bound is excluded.
SIZES = {
    "under-1b": ("under 1 billion", 1),
    "1b-3b": ("1 to 3 billion", 10**9),
    "3b-13b": ("3 to 13 billion", 3 * 10**9),
    "13b-70b": ("13 to 70 billion", 13 * 10**9),
    "from-70b": ("70 billion and more", 70 * 10**9),
}


def size_class(parameters: int | None) -> str:
    """The size class of a number of parameters; empty for an unknown number."""
    found = [key for key, (_, least) in SIZES.items() if (parameters or 0) >= least]
    return found[-1] if found else ""


def facet_values(row: Row) -> tuple[tuple[str, ...], ...]:
    """The values of a checkpoint in each of FACETS."""
    if row.facet_values is None:
        single = row.task, row.licence[0], size_class(row.parameters), row.tier
        task, licence, size, tier = ((value,) if value else () for value in single)
        row.facet_values = (task, licence, size, row.formats, tier)
    return row.facet_values


@dataclass(frozen=True)
class Filters:
    """Criteria of a list. All fields must match; empty ones match everything.

    Of a facet, any selected value must match; of tags, all. A text matches checkpoints whose names
    or summary contain each word, and those that the full text search finds.
    """

    text: str = ""
    org: str = ""
    family: str = ""
    tags: Sequence[str] = ()
    facets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    published: bool = False
    gated: bool | None = None
    least_parameters: int | None = None
    most_parameters: int | None = None

    @classmethod
    def from_query(cls, query: QueryDict) -> "Filters":
        """The filters of the catalogue's page: q, org, family, tag, held, and the facets."""

        def texts(name: str) -> list[str]:
            stripped = (storable(value.strip()[:MAX_TEXT]) for value in query.getlist(name))
            return list(dict.fromkeys(value for value in stripped if value))[:_MAX_VALUES]

        def text(name: str) -> str:
            return storable(query.get(name, "").strip()[:MAX_TEXT])

        return cls(
            text=text("q"),
            org=text("org"),
            family=text("family"),
            tags=texts("tag"),
            facets={name: values for name in FACETS if (values := texts(name))},
            published=query.get("held") == "yes",
        )

    @cached_property
    def ranks(self) -> dict[int, float]:
        """The rank of each checkpoint that the full text search finds, with one query."""
        return ranks(self.text)

    @cached_property
    def _words(self) -> list[str]:
        return self.text.casefold().split()[:20]

    @cached_property
    def _tags(self) -> set[str]:
        return {normalize_tag(tag) for tag in self.tags}

    def is_named(self, row: Row) -> bool:
        """True if the names or the summary of the checkpoint contain each word of the text."""
        return all(word in row.names for word in self._words)

    def matching(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match all filters except the facets."""
        found = list(rows)
        if self.text:
            found = self._with_text(found)
        for condition in self._conditions():
            found = [row for row in found if condition(row)]
        return found

    def matching_all(self, rows: Iterable[Row]) -> list[Row]:
        """The rows that match all filters, including the facets."""
        found = self.matching(rows)
        if self.facets:
            found = [row for row in found if not self.failing_facets(facet_values(row))]
        return found

    def _with_text(self, rows: list[Row]) -> list[Row]:
        named = rows
        for word in self._words:
            named = [row for row in named if word in row.names]
        if not self.ranks:
            return named
        pks = self.ranks.keys() | {row.pk for row in named}
        return [row for row in rows if row.pk in pks]

    def _conditions(self) -> list[Callable[[Row], bool]]:
        """Only the filters in use, except text and facets, since there may be thousands of rows."""
        org, tags = self.org.casefold(), self._tags
        bounded = self.least_parameters is not None or self.most_parameters is not None
        conditions: list[tuple[bool, Callable[[Row], bool]]] = [
            (bool(org), lambda row: row.org.casefold() == org),
            (bool(self.family), lambda row: row.family == self.family),
            (bool(tags), lambda row: tags <= row.tags),
            (self.published, lambda row: row.published_at is not None),
            (self.gated is not None, lambda row: row.is_gated == self.gated),
            (bounded, lambda row: self._is_within_bounds(row.parameters)),
        ]
        return [condition for is_set, condition in conditions if is_set]

    def _is_within_bounds(self, parameters: int | None) -> bool:
        least, most = self.least_parameters, self.most_parameters
        return (
            parameters is not None
            and parameters >= max(least or 0, 1)
            and (most is None or parameters <= most)
        )

    def failing_facets(self, values: Sequence[Sequence[str]]) -> list[str]:
        """The facets whose selection does not match these values, in the order of FACETS."""
        return [
            facet
            for facet, of_facet in zip(FACETS, values, strict=True)
            if (selected := self.facets.get(facet)) and not set(selected) & set(of_facet)
        ]
