"""Retention periods, and the steps that delete or reduce data after them (docs/privacy.md)."""

from datetime import datetime, timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.db import models, transaction
from django.utils import timezone

from accounts.api_tokens.models import ApiToken
from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.applications.transition_table import TERMINAL_STATES, Status
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.background.periodic import each_locked
from accounts.mail.models import OutgoingMail
from accounts.privacy.models import DataExport, HolderRecord
from accounts.review.models import ProfileLook

ANSWERS_KEPT = timedelta(days=365)
ATTACHMENTS_KEPT = timedelta(days=90)
NETWORKS_KEPT = timedelta(days=90)
EXPORTS_KEPT = timedelta(days=7)
GRANTS_KEPT = timedelta(days=6 * 365 + 2)
#: Replaces erased text.
REMOVED = OutgoingMail.REMOVED
#: Answers that the public statistics need.
RETAINED_ANSWERS = ("country",)


def reduce_application(application: Application) -> bool:
    """Delete texts, documents and the text of mails; keep reason codes, dates, tier and country.

    Returns False if the application is already reduced.
    """
    with transaction.atomic():
        unreduced = Application.objects.filter(pk=application.pk, reduced_at=None)
        answers: Any = _retained(application.answers)
        if not unreduced.update(
            reduced_at=timezone.now(), answers=answers, withdrawn_because="", appeal_text=""
        ):
            return False
        _erase_related_texts(application)
        AuditEvent.record(AccountsEvent.APPLICATION_REDUCED, target=application)
    return True


def erase_texts(application: Application) -> None:
    """Reduce an erased person's application, even if reduced before: it may have newer texts."""
    if reduce_application(application):
        return
    with transaction.atomic():
        Application.objects.filter(pk=application.pk).update(
            answers=_retained(application.answers), withdrawn_because="", appeal_text=""
        )
        _erase_related_texts(application)


def _erase_related_texts(application: Application) -> None:
    """Delete documents, and every related text that may mention the applicant."""
    for snapshot in application.snapshots.all():
        snapshot.answers = _retained(snapshot.answers)
        snapshot.save(update_fields=["answers"])
    ProfileLook.objects.filter(snapshot__application=application).delete()
    application.attachments.all().delete()
    application.remarks.update(text=REMOVED)
    application.remarks.exclude(answer="").update(answer=REMOVED)
    application.consultations.update(question=REMOVED)
    application.consultations.exclude(answer="").update(answer=REMOVED)
    application.conflicts.exclude(reason="").update(reason=REMOVED)
    application.decisions.exclude(note="").update(note=REMOVED)
    application.decisions.exclude(internal_note="").update(internal_note=REMOVED)
    mails = OutgoingMail.objects.filter(
        object_kind="application", object_id=str(application.public_id)
    )
    mails.exclude(state=OutgoingMail.State.QUEUED).update(text=REMOVED, html="")


def reduce_answers(now: datetime) -> int:
    """Reduce applications that ended without access ANSWERS_KEPT ago. Returns how many."""
    refused = [Status.REJECTED, Status.WITHDRAWN, Status.LAPSED]
    due = Application.objects.filter(
        status__in=refused, reduced_at=None, decided_at__lte=now - ANSWERS_KEPT
    )
    return each_locked("answers reduced", due, reduce_application)


def remove_attachments(now: datetime) -> int:
    """Delete documents of applications that ended ATTACHMENTS_KEPT ago. Returns how many."""
    old = Attachment.objects.filter(
        application__status__in=TERMINAL_STATES, application__decided_at__lte=now - ATTACHMENTS_KEPT
    )
    return _delete(old)


def forget_networks(now: datetime) -> int:
    """Blank networks of events and tokens, and delete sessions, after NETWORKS_KEPT."""
    before = now - NETWORKS_KEPT
    blanked = AuditEvent.objects.forget_networks(before)
    tokens = ApiToken.objects.exclude(last_used_network="").filter(last_used_at__lte=before)
    blanked += tokens.update(last_used_network="")
    return blanked + _delete(UserSession.objects.filter(last_seen_at__lte=before))


def remove_exports(now: datetime) -> int:
    old = DataExport.objects.filter(asked_at__lte=now - EXPORTS_KEPT)
    return _delete(old.exclude(state=DataExport.State.QUEUED))


def remove_holder_records(now: datetime) -> int:
    return _delete(HolderRecord.objects.filter(keep_until__lt=now.date()))


def _retained(answers: dict[str, Any]) -> dict[str, Any]:
    return {key: answers[key] for key in RETAINED_ANSWERS if key in answers}


def _delete(rows: "models.QuerySet[Any]") -> int:
    """Delete rows. Returns how many, not counting those deleted by cascade."""
    deleted: int = rows.delete()[1].get(rows.model._meta.label, 0)
    return deleted
