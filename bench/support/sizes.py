"""Run the same query on a small and a large database, each in a process of its own."""

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

#: Fills the install below a folder with so many records; returns its database's vendor.
Fill = Callable[[Path, dict[str, str], int], str]


@dataclass
class Sides:
    """The processes of both; what is called in them may keep what it needs in their modules."""

    few: Pool
    many: Pool
    vendor: str

    def rounds(
        self, count: int, asked: Callable[..., Round], *arguments: Any
    ) -> tuple[list[Round], list[Round]]:
        """So many answers of the large one and of the small one, in turn."""
        many, few = [], []
        for _ in range(count):
            many.append(self.many.apply(asked, arguments))
            few.append(self.few.apply(asked, arguments))
        return many, few

    def peak(self) -> int:
        """Bytes that the large one's process took at most."""
        return self.many.apply(_peak)


@contextmanager
def filled(fill: Fill, small: int, large: int, arguments: list[str]) -> Iterator[Sides]:
    """Both at once, with `--postgres` among the arguments on a PostgreSQL each."""
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
