"""CSV lines for a streamed response."""

import csv
from collections.abc import Iterable, Iterator

from accounts.web.sanitize import csv_cell


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield one line a row; formulas in cells are escaped."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([csv_cell(cell) for cell in row])


class _Echo:
    """A file object whose `write` returns the line to `csv.writer`."""

    def write(self, line: str) -> str:
        return line
