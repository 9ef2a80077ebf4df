"""The models of tiers and licences."""

from accounts.tiers.models.licence import Licence, LicenceVersion
from accounts.tiers.models.tier import Tier
from accounts.tiers.models.tier_change import TierChange

__all__ = ["Licence", "LicenceVersion", "Tier", "TierChange"]
