"""Checks whether the weights of a tier fit the applicant's hardware; the result is only advice."""

import re
from dataclasses import dataclass
from typing import Any

from accounts.release_interface import CheckpointSize, HardwareFit, releases
from accounts.tiers.models import Tier

GIGABYTE = 10**9


@dataclass(frozen=True)
class Machines:
    """`count` accelerators of `memory` GB each."""

    count: int
    memory: int

    def __str__(self) -> str:
        return f"{self.count} × {self.memory} GB"

    def fit(self, checkpoint: CheckpointSize) -> HardwareFit:
        """Return whether, and how well, the checkpoint fits on them."""
        return checkpoint.fit_on(self.count, self.memory * GIGABYTE)


_TEXT = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})\s*(?:GB|GiB|G)\b", re.IGNORECASE)


def sizes_of(tier: Tier) -> list[CheckpointSize]:
    """Return the tier's checkpoints that have a known size, largest first."""
    return sorted(releases().sizes_of(tier), key=lambda one: (-one.size, one.name))


def parse_hardware(answer: Any) -> list[Machines]:
    """Parse the hardware in an answer; skip what cannot be parsed.

    An answer has rows of `count` and `memory_gb`, or is text such as `8 x 80 GB A100`.
    """
    if isinstance(answer, list):
        pairs = [(row.get("count"), row.get("memory_gb")) for row in answer]
    else:
        pairs = _TEXT.findall(str(answer or ""))
    return [Machines(int(count), int(memory)) for count, memory in pairs if count and memory]
