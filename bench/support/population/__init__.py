"""Fill PostgreSQL with a portal's rows in realistic proportions, by bulk SQL.

The portal's own code creates one row of each model; `INSERT … SELECT generate_series` copies it.
Ids are consecutive, so foreign keys are expressions of a row's number `n`. Leaves of the Merkle
tree are not the hashes of their rows, but inner nodes are computed from the leaves.
"""

from support.population.bulk_load import fill
from support.population.proportions import CHECKPOINTS_EACH, FILES, SHARDS, Sizes

__all__ = ["CHECKPOINTS_EACH", "FILES", "SHARDS", "Sizes", "fill"]
