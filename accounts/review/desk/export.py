"""The filtered queue as CSV: streamed, guarded against formulas, written down."""

from collections.abc import Iterable, Iterator
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.review import queue
from accounts.users.models import User
from accounts.web.csv_lines import csv_lines

COLUMNS = [
    *("reference", "tier", "state", "kind", "project", "applicant", "organisation", "country"),
    *("submitted", "due", "decided", "claimer", "flags"),
]


def answer(applications: Any, by: User, filters: dict[str, str]) -> StreamingHttpResponse:
    """Stream these applications, in their order, and note who took how many by which filters."""
    details = {"rows": applications.count(), "filters": filters}
    AuditEvent.record("application.export", actor=by, details=details)
    name = f"applications-{timezone.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        lines(applications.iterator(chunk_size=500)),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


def lines(applications: Iterable[Any]) -> Iterator[str]:
    """The file line by line."""
    yield from csv_lines([COLUMNS])
    yield from csv_lines(map(_cells, applications))


def _cells(application: Any) -> list[object]:
    sent = application.sent or {}
    return [
        application.reference,
        application.tier.slug,
        application.status,
        application.kind,
        sent.get("title"),
        sent.get("full_name") or application.applicant.display_name,
        sent.get("org_name"),
        sent.get("country"),
        _moment(application.submitted_at),
        application.due_on,
        _moment(application.decided_at),
        application.claimed_by.username if application.claimed_by else "",
        " ".join(queue.flags_of(application)),
    ]


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
