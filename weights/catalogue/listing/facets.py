"""Counts the values of each facet among the checkpoints that match."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from weights.catalogue.listing.filters import FACETS, SIZES, Filters, facet_values
from weights.catalogue.listing.rows import Row
from weights.catalogue.measured.weight_files import FORMATS

Groups = dict[tuple[tuple[str, ...], ...], list[Row]]
#: Maximum values shown of a facet, besides the selected ones.
_MAX_OPTIONS = 12


@dataclass(frozen=True)
class Option:
    """A value of a facet, and the number of checkpoints that selecting it would show."""

    value: str
    label: str
    count: int
    is_selected: bool


@dataclass(frozen=True)
class Facet:
    name: str
    label: str
    options: list[Option]

    @property
    def has_selection(self) -> bool:
        return any(option.is_selected for option in self.options)


def grouped(rows: Iterable[Row]) -> Groups:
    """The rows grouped by their facet values; thousands of rows share few combinations."""
    groups: Groups = defaultdict(list)
    for row in rows:
        groups[facet_values(row)].append(row)
    return groups


def counted(
    groups: Groups, filters: Filters, tier_names: Mapping[str, str]
) -> tuple[list[Row], list[Facet]]:
    """The rows that the facets match, and the facets; the groups match all other filters.

    A facet counts the checkpoints that match all filters but its own, so that users can select
    further values of it.
    """
    counts: dict[str, Counter[str]] = {facet: Counter() for facet in FACETS}
    licences: dict[str, str] = {}
    matching = []
    for values, alike in groups.items():
        licences[alike[0].licence[0]] = alike[0].licence[1]
        failing = filters.failing_facets(values)
        if not failing:
            matching += alike
        if len(failing) <= 1:
            for facet, of_facet in zip(FACETS, values, strict=True):
                if facet in (failing or FACETS):
                    counts[facet].update(dict.fromkeys(of_facet, len(alike)))
    labels = {
        "licence": licences,
        "size": {key: label for key, (label, _) in SIZES.items()},
        "format": FORMATS,
        "tier": dict(tier_names),
    }
    facets = [
        Facet(name, label, _options(name, counts[name], filters, labels.get(name, {})))
        for name, label in FACETS.items()
    ]
    return matching, [facet for facet in facets if facet.options]


def _options(
    facet: str, counts: Counter[str], filters: Filters, labels: Mapping[str, str]
) -> list[Option]:
    """The most frequent values; size classes and tiers keep their order."""
    selected = filters.facets.get(facet, ())
    names = [value for value, _ in counts.most_common(_MAX_OPTIONS)]
    names += [value for value in selected if value not in names]
    if (order := {"size": SIZES, "tier": labels}.get(facet)) is not None:
        names = [value for value in order if value in names]
    return [
        Option(value, labels.get(value, value), counts[value], value in selected) for value in names
    ]
