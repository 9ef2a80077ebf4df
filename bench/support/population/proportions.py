"""Counts of rows by model, and their foreign keys."""

from dataclasses import dataclass

TIERS, FAMILIES = 12, 10  # gated tiers, in addition to an open one
GRANTS_EACH, LIVE = 10, 7  # grants per person, and how many are live
CHECKPOINTS_EACH = 20  # per organisation
#: SQL for checkpoint `n`; every second sharded one is gated.
IS_GATED = "n % 10 = 5 OR n % 20 = 0"
SHARDS, SHARDED_REVISIONS, SHARDED_EVERY = 992, 9, 10
FILES, REVISIONS = 12, 10  # of the other checkpoints
DAYS = 730


@dataclass(frozen=True)
class Sizes:
    """Numbers of rows; at scale 1, 10⁵ people, 10⁴ checkpoints, 10⁷ files and ledger rows."""

    people: int
    checkpoints: int
    waiting: int

    @classmethod
    def at(cls, scale: float) -> "Sizes":
        return cls(max(int(1e5 * scale), 1000), max(int(1e4 * scale), 100), int(1000 * scale) + 100)

    @property
    def downloads(self) -> int:
        return self.people * 100

    @property
    def events(self) -> int:
        return self.downloads // 10
