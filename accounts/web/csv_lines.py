"""CSV line by line, for a streamed answer."""

import csv
from collections.abc import Iterable, Iterator

from accounts.web.sanitize import csv_cell


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Each row as a line, its cells safe for a spreadsheet."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([csv_cell(cell) for cell in row])


class _Echo:
    """A file for `csv.writer` whose `write` returns the line."""

    def write(self, line: str) -> str:
        return line
