"""Re-read every stored byte on a schedule, and survey the store for missing objects.

A worker's turn (`worker_turn`) surveys the store (`store_survey`), then checks the blobs that
were read longest ago (`reading`) at its share of the rate (`turns`).
"""

from weights.integrity.scrub.reading import due, late, read, read_to_the_end
from weights.integrity.scrub.store_survey import findings, last_good, last_one, survey
from weights.integrity.scrub.turns import taken
from weights.integrity.scrub.worker_turn import work

__all__ = [
    "due",
    "findings",
    "last_good",
    "last_one",
    "late",
    "read",
    "read_to_the_end",
    "survey",
    "taken",
    "work",
]
