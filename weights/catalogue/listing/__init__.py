"""The catalogue's list: filters, facets, search and orders, shared by pages and both APIs."""

from weights.catalogue.listing.facets import Facet, Option
from weights.catalogue.listing.filters import Filters
from weights.catalogue.listing.ordering import Order, ordered
from weights.catalogue.listing.rows import Row, visible_rows

__all__ = ["Facet", "Filters", "Option", "Order", "Row", "ordered", "visible_rows"]
