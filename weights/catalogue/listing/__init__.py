"""The catalogue's list: filters, facets, search and orders that pages and both APIs share."""

from weights.catalogue.listing.facets import Facet, Option, counted
from weights.catalogue.listing.filters import Filters
from weights.catalogue.listing.ordering import Order, ordered
from weights.catalogue.listing.rows import Row, rows

__all__ = ["Facet", "Filters", "Option", "Order", "Row", "counted", "ordered", "rows"]
