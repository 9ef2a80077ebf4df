"""A report comes in: kept, acknowledged, and told to those who triage it."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.mail import outbox
from weights.catalogue.models import Checkpoint
from weights.reports.desk import triagers_of
from weights.reports.models import Report

CONTACT_KEPT = timedelta(days=365)


@transaction.atomic
def take(
    kind: str, text: str, *, checkpoint: Checkpoint | None = None, path: str = "", contact: str = ""
) -> Report:
    """Keep a report that was checked, mail its receipt where an address is given, tell staff."""
    report = Report.objects.create(
        kind=kind, text=text, checkpoint=checkpoint, path=path, contact=contact
    )
    AuditEvent.record("report.made", target=report, details={"kind": kind})
    if contact:
        mail_reporter(report, "report_received", str(report.pk))
    for person in triagers_of(report):
        outbox.send(
            "report_new",
            to=person.email,
            key=f"{report.pk}:{person.pk}",
            recipient=person,
            about=report,
            context={"report": report, "desk_path": desk_path(report)},
        )
    return report


def mail_reporter(report: Report, kind: str, key: str) -> None:
    """What staff did, and never what was reported: the address may be anybody's."""
    if report.contact:
        outbox.send(kind, to=report.contact, key=key, about=report, context={"report": report})


def forget_contacts(now: datetime) -> int:
    """Remove the addresses of those whose report was closed long ago; how many."""
    closed = Report.objects.filter(closed_at__lt=now - CONTACT_KEPT)
    return closed.exclude(contact="").update(contact="")


def desk_path(report: Report) -> str:
    return f"/{settings.ADMIN_PATH}weights/report/{report.pk}/change/"
