"""Catalogue entries, tiers and licence of the OPT family, shipped with the portal."""

from weights.catalogue.opt_family.loading import load

__all__ = ["load"]
