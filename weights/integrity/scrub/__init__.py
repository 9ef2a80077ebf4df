"""Read every stored byte again on a schedule, and see what is missing or belongs to nobody.

`working` is a worker's turn: `surveying` looks over the store, `reading` re-reads what was read
the longest ago through `weights.verification`, at the pace of `turns`.
"""

from weights.integrity.scrub.reading import due, late, oldest_first, read, read_to_the_end
from weights.integrity.scrub.store_survey import findings, last_good, last_one, survey
from weights.integrity.scrub.turns import Turn, taken
from weights.integrity.scrub.worker_turn import work

__all__ = [
    "Turn",
    "due",
    "findings",
    "last_good",
    "last_one",
    "late",
    "oldest_first",
    "read",
    "read_to_the_end",
    "survey",
    "taken",
    "work",
]
