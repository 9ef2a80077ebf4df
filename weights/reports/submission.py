"""Submission of reports: store them, send a receipt, notify the triagers."""

from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse

from accounts.audit.models import AuditEvent
from accounts.mail import outbox
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.reports.models import Report
from weights.reports.permissions import triagers_of

CONTACT_KEPT = timedelta(days=365)


@transaction.atomic
def submit(
    kind: str, text: str, *, checkpoint: Checkpoint | None = None, path: str = "", contact: str = ""
) -> Report:
    """Stores a validated report, mails a receipt to `contact` if given, and mails the triagers."""
    report = Report.objects.create(
        kind=kind, text=text, checkpoint=checkpoint, path=path, contact=contact
    )
    AuditEvent.record(WeightsEvent.REPORT_MADE, target=report, details={"kind": kind})
    if contact:
        mail_reporter(report, "report_received", str(report.pk))
    for person in triagers_of(report):
        outbox.send(
            "report_new",
            key=f"{report.pk}:{person.pk}",
            recipient=person,
            about=report,
            context={"report": report, "desk_path": admin_path(report)},
        )
    return report


def mail_reporter(report: Report, kind: str, key: str) -> None:
    """Mails the reporter, without the report's text, because the address is unverified."""
    if report.contact:
        outbox.send(kind, to=report.contact, key=key, about=report, context={"report": report})


def forget_contacts(now: datetime) -> int:
    """Deletes contacts of reports that were closed over CONTACT_KEPT ago. Returns the number."""
    closed = Report.objects.filter(closed_at__lt=now - CONTACT_KEPT)
    return closed.exclude(contact="").update(contact="")


def admin_path(report: Report) -> str:
    return reverse("admin:weights_report_change", args=[report.pk])
