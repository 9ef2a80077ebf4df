"""CSV files as streamed responses."""

import csv
from collections.abc import Iterable, Iterator

from django.http import StreamingHttpResponse

from accounts.web.sanitize import csv_cell


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Yield one line per row; formulas in cells are escaped."""
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([csv_cell(cell) for cell in row])


class _Echo:
    """A file object whose `write` returns the line to `csv.writer`."""

    def write(self, line: str) -> str:
        return line


def csv_download(rows: Iterable[Iterable[object]], name: str) -> StreamingHttpResponse:
    """Return the rows as a download that no cache stores."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "private, no-store",
    }
    return StreamingHttpResponse(
        csv_lines(rows), content_type="text/csv; charset=utf-8", headers=headers
    )
