"""Exports the filtered queue as a streamed CSV file; the audit trail records every export."""

from datetime import datetime
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse
from django.utils import timezone

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.review import queue
from accounts.users.models import User
from accounts.web.csv_lines import csv_download

COLUMNS = [
    *("reference", "tier", "state", "kind", "project", "applicant", "organisation", "country"),
    *("submitted", "due", "decided", "claimer", "flags"),
]


def csv_response(applications: Any, by: User, filters: dict[str, str]) -> StreamingHttpResponse:
    """Stream the applications in their order; record the user, the number and the filters.

    `applications` is a queryset from `queue.annotate_rows`.
    """
    details = {"rows": applications.count(), "filters": filters}
    AuditEvent.record(AccountsEvent.APPLICATION_EXPORT, actor=by, details=details)
    rows = map(_cells, applications.iterator(chunk_size=500))
    return csv_download(chain([COLUMNS], rows), f"applications-{timezone.now():%Y-%m-%d}.csv")


def _cells(application: Any) -> list[object]:
    answers = application.sent or {}
    return [
        application.reference,
        application.tier.slug,
        application.status,
        application.kind,
        answers.get("title"),
        answers.get("full_name") or application.applicant.display_name,
        answers.get("org_name"),
        answers.get("country"),
        _timestamp(application.submitted_at),
        application.due_on,
        _timestamp(application.decided_at),
        application.claimed_by.username if application.claimed_by else "",
        " ".join(queue.flags_of(application)),
    ]


def _timestamp(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else ""
