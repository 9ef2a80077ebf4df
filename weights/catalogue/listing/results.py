"""Searches the rows that a caller may see, and caches results."""

from collections.abc import Mapping

from weights.catalogue.listing.facets import Facet, Groups, counted, grouped
from weights.catalogue.listing.filters import Filters
from weights.catalogue.listing.ordering import Order, ordered
from weights.catalogue.listing.rows import Row, VisibleRows

#: Maximum cached results per set of visible rows; each may refer to all rows.
_MOST_RESULTS = 50


def search(
    visible: VisibleRows,
    filters: Filters,
    order: Order,
    tier_names: Mapping[str, str],
    downloads: Mapping[int, int],
) -> tuple[list[Row], list[Facet]]:
    """The matching rows in this order, and the facets. Shared rows may give cached results."""
    key = repr(filters), order
    found: tuple[list[Row], list[Facet]] | None = visible.results.get(key)
    if found is None:
        matching, facets = counted(_groups(visible, filters), filters, tier_names)
        found = ordered(matching, order, filters, downloads), facets
        if len(visible.results) >= _MOST_RESULTS:
            visible.results.clear()
        visible.results[key] = found
    return found


def _groups(visible: VisibleRows, filters: Filters) -> Groups:
    """Groups of the rows that match all filters but the facets; shared if only facets are set."""
    if filters != Filters(facets=filters.facets):
        return grouped(filters.matching(visible.rows))
    if visible.groups is None:
        visible.groups = grouped(visible.rows)
    return visible.groups
