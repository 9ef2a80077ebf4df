"""What is kept for how long, and what is left of it afterwards (docs/privacy.md)."""

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.db import models, transaction
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.applications.state_machine import TERMINAL_STATES, Status
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.privacy.models import DataExport, HolderRecord
from accounts.review.models import ProfileLook

ANSWERS_KEPT = timedelta(days=365)
ATTACHMENTS_KEPT = timedelta(days=90)
NETWORKS_KEPT = timedelta(days=90)
EXPORTS_KEPT = timedelta(days=7)
GRANTS_KEPT = timedelta(days=6 * 365 + 2)
#: What stands where words were.
REMOVED = OutgoingMail.REMOVED
#: Of the answers, what stays for the public numbers.
STAYS = ("country",)


def reduce(application: Application) -> None:
    """Leave reason codes, dates, tier and country; words, documents and mails' texts go.

    Again changes nothing.
    """
    with transaction.atomic():
        unreduced = Application.objects.filter(pk=application.pk, reduced_at=None)
        kept = _left(application.answers)
        changes: dict[str, Any] = {"answers": kept, "withdrawn_because": ""}
        if not unreduced.update(reduced_at=timezone.now(), **changes):
            return
        for snapshot in application.snapshots.all():
            snapshot.answers = _left(snapshot.answers)
            snapshot.save(update_fields=["answers"])
        ProfileLook.objects.filter(snapshot__application=application).delete()
        application.attachments.all().delete()
        application.remarks.update(text=REMOVED)
        application.remarks.exclude(answer="").update(answer=REMOVED)
        application.consultations.update(question=REMOVED)
        application.consultations.exclude(answer="").update(answer=REMOVED)
        application.decisions.exclude(note="").update(note=REMOVED)
        application.decisions.exclude(internal_note="").update(internal_note=REMOVED)
        about = OutgoingMail.objects.filter(
            object_kind="application", object_id=str(application.public_id)
        )
        about.exclude(state=OutgoingMail.State.QUEUED).update(text=REMOVED, html="")
        AuditEvent.record(AccountsEvent.APPLICATION_REDUCED, target=application)


def due_for_reduction(now: datetime) -> "models.QuerySet[Application]":
    """Ended without access a year ago."""
    refused = [Status.REJECTED, Status.WITHDRAWN, Status.LAPSED]
    return Application.objects.filter(
        status__in=refused, reduced_at=None, decided_at__lte=now - ANSWERS_KEPT
    )


def remove_attachments(now: datetime) -> int:
    """Documents of what was decided 90 days ago."""
    old = Attachment.objects.filter(
        application__status__in=TERMINAL_STATES, application__decided_at__lte=now - ATTACHMENTS_KEPT
    )
    return _deleted(old)


def forget_networks(now: datetime) -> int:
    """Blank the networks of 90 days ago; the trail's own statement leaves all else as it is."""
    before = now - NETWORKS_KEPT
    forgotten = AuditEvent.objects.forget_networks(before)
    tokens = ApiToken.objects.exclude(last_used_network="").filter(last_used_at__lte=before)
    forgotten += tokens.update(last_used_network="")
    return forgotten + _deleted(UserSession.objects.filter(last_seen_at__lte=before))


def remove_exports(now: datetime) -> int:
    old = DataExport.objects.filter(asked_at__lte=now - EXPORTS_KEPT)
    return _deleted(old.exclude(state=DataExport.State.QUEUED))


def remove_holder_records(now: datetime) -> int:
    return _deleted(HolderRecord.objects.filter(keep_until__lt=now.date()))


def _left(answers: dict[str, Any]) -> dict[str, Any]:
    return {key: answers[key] for key in STAYS if key in answers}


def _deleted(rows: "models.QuerySet[Any]") -> int:
    """How many of these rows were deleted, those that hang on them left out of the count."""
    model = rows.model._meta.label
    deleted: int = rows.delete()[1].get(model, 0)
    return deleted
