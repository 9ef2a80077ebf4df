"""Fills PostgreSQL with a portal's rows in realistic proportions, by bulk SQL.

One row of each model is created by the portal's own code; `INSERT … SELECT generate_series` copies
it. Ids are consecutive, so expressions of a row's number `n` name the rows that it refers to.
Leaves of the Merkle tree are not the hashes of their rows; inner nodes are those of the leaves.
"""

from support.population.bulk_load import fill
from support.population.proportions import CHECKPOINTS_EACH, FILES, SHARDS, Sizes

__all__ = ["CHECKPOINTS_EACH", "FILES", "SHARDS", "Sizes", "fill"]
