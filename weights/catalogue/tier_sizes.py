"""How much memory a tier's checkpoints take: told to reviewers beside the hardware named."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from accounts.review.evidence.hardware import BYTES_A_PARAMETER, Size
from weights.catalogue.models import Checkpoint

if TYPE_CHECKING:
    from accounts.tiers.models import Tier


def of_tier(tier: "Tier") -> Iterator[Size]:
    """Every listed checkpoint of the tier whose parameters are counted."""
    counted = Checkpoint.objects.filter(tier=tier, private=False, parameters__isnull=False)
    for name, parameters in counted.values_list("name", "parameters"):
        yield Size(name, (parameters or 0) * BYTES_A_PARAMETER)
