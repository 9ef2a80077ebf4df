"""Run the same work on a small and on a large database, each in its own process."""

import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

from support import install
from support.postgres import database
from support.report import Round

#: Fills the install in a folder with `int` records; returns the database's vendor.
Fill = Callable[[Path, dict[str, str], int], str]


@dataclass
class Sides:
    """One process per database. Functions may keep their state in module globals."""

    few: Pool
    many: Pool
    vendor: str

    def rounds(
        self, count: int, work: Callable[..., Round], *arguments: Any
    ) -> tuple[list[Round], list[Round]]:
        """Call `work` `count` times in turn on the large and the small database."""
        many, few = [], []
        for _ in range(count):
            many.append(self.many.apply(work, arguments))
            few.append(self.few.apply(work, arguments))
        return many, few

    def peak(self) -> int:
        """Peak memory in bytes of the process with the large database."""
        return self.many.apply(_peak)


@contextmanager
def filled(fill: Fill, small: int, large: int, arguments: list[str]) -> Iterator[Sides]:
    """Fill both databases concurrently: SQLite, or with `--postgres` a PostgreSQL server each."""
    with tempfile.TemporaryDirectory(prefix="bench-sizes-") as name:
        folder = Path(name)
        (folder / "small").mkdir()
        (folder / "large").mkdir()
        with (
            database(folder / "small", arguments) as of_small,
            database(folder / "large", arguments) as of_large,
            get_context("spawn").Pool(1) as few,
            get_context("spawn").Pool(1) as many,
        ):
            fillings = [
                few.apply_async(fill, (folder / "small", of_small, small)),
                many.apply_async(fill, (folder / "large", of_large, large)),
            ]
            vendor, _ = [filling.get() for filling in fillings]
            yield Sides(few, many, vendor)
            for pool in (few, many):
                pool.apply(install.close)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
