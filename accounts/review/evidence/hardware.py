"""Does a checkpoint's weight fit the machines an applicant names? Advice, never a refusal."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from accounts.tiers.models import Tier

#: Half precision, in which these weights are used.
BYTES_A_PARAMETER = 2
GIGABYTE = 10**9


@dataclass(frozen=True)
class Size:
    """A checkpoint of a tier, and the bytes of its weights at 2 bytes a parameter."""

    name: str
    size: int


@dataclass(frozen=True)
class Machines:
    """`count` accelerators of `memory` GB each."""

    count: int
    memory: int

    def __str__(self) -> str:
        return f"{self.count} × {self.memory} GB"

    def hold(self, size: int) -> bool:
        """Whether the weights alone fit into the memory of all of them."""
        return size <= self.count * self.memory * GIGABYTE


#: Who knows a tier's checkpoints: accounts knows none, so the app that does appends a callable
#: here when it is loaded.
SOURCES: "list[Callable[[Tier], Iterable[Size]]]" = []

_IN_WORDS = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})\s*(?:GB|GiB|G)\b", re.IGNORECASE)


def sizes_of(tier: "Tier") -> list[Size]:
    """Every checkpoint of the tier whose size is known, the largest first."""
    known = [size for source in SOURCES for size in source(tier)]
    return sorted(known, key=lambda one: (-one.size, one.name))


def named_in(answer: Any) -> list[Machines]:
    """The machines of an answer: rows of `count` and `memory_gb`, or words such as
    `8 x 80 GB A100`. What cannot be read is left out."""
    if isinstance(answer, list):
        pairs = [(row.get("count"), row.get("memory_gb")) for row in answer]
    else:
        pairs = _IN_WORDS.findall(str(answer or ""))
    return [Machines(int(count), int(memory)) for count, memory in pairs if count and memory]
