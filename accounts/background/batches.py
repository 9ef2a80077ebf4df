"""Splits long lists into batches, so that neither queries nor memory grow with them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last may be shorter. Python 3.12 has itertools.batched."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
