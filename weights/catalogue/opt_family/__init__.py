"""The OPT family's catalogue entries with their terms, as shipped with the portal."""

from weights.catalogue.opt_family.loading import load

__all__ = ["load"]
