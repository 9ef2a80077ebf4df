"""Mails to staff about applications in review."""

from datetime import date, datetime

from django.conf import settings

from accounts.applications.models import Application
from accounts.mail import outbox
from accounts.mail.outbox import Message
from accounts.review.models import Consultation, Decision
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS, GRANT_MANAGERS
from accounts.users.models import User


def application_assigned(application: Application, to: User, by: User) -> None:
    key = f"{application.pk}:{to.pk}:{application.claimed_at}"
    _send(application, to, "application_assigned", key, by=by)


def claim_ended(application: Application, claimer: User, claimed_at: datetime | None) -> None:
    """Notify a reviewer that the application they claimed is back in the queue."""
    key = f"{application.pk}:{claimer.pk}:{claimed_at}"
    _send(application, claimer, "claim_ended", key)


def claimer_reminded(application: Application, by: User, day: date) -> bool:
    """Ask the claimer to continue, once a day. Returns True if the mail is new."""
    claimer = application.claimed_by
    if claimer is None:
        return False
    key = f"{application.pk}:{claimer.pk}:{day}"
    return _send(application, claimer, "claimer_reminded", key, by=by)


def colleague_asked(consultation: Consultation) -> None:
    _send(
        consultation.application,
        consultation.colleague,
        "colleague_asked",
        str(consultation.pk),
        asked=consultation,
    )


def colleague_answered(consultation: Consultation) -> None:
    _send(
        consultation.application,
        consultation.asked_by,
        "colleague_answered",
        str(consultation.pk),
        asked=consultation,
    )


def colleague_reminded(consultation: Consultation) -> bool:
    """Remind a colleague of a question, once. Returns True if the mail is new."""
    return _send(
        consultation.application,
        consultation.colleague,
        "colleague_reminded",
        str(consultation.pk),
        asked=consultation,
    )


def application_overdue(application: Application) -> bool:
    """Notify each lead reviewer of the tier once. Returns True if any mail is new."""
    leads = RoleAssignment.objects.people(application.tier, GRANT_MANAGERS)
    sent = [
        _send(application, lead, "application_overdue", f"{application.pk}:{lead.pk}")
        for lead in leads.exclude(pk=application.applicant_id)
    ]
    return any(sent)


def staff_digest(person: User, key: str, **numbers: object) -> bool:
    """Send the digest of a reviewer's tiers, which names only references. True if it is new."""
    context = {"queue_path": f"/{settings.ADMIN_PATH}accounts/application/", **numbers}
    mail = outbox.send("staff_digest", key=key, recipient=person, context=context)
    return mail is not None


def compose_second_approval(application: Application, by: User) -> list[Message]:
    """Compose the mails that ask the tier's other reviewers for the second approval."""
    people = RoleAssignment.objects.people(application.tier, DECIDERS)
    return [
        _compose(application, person, "second_approval_wanted", by=by)
        for person in people.exclude(pk__in=[by.pk, application.applicant_id])
    ]


def appeal_opened(appeal: Application) -> None:
    """Mail the reviewers who may decide an appeal, or the lead reviewers if nobody may."""
    people = RoleAssignment.objects.people(appeal.tier, DECIDERS).exclude(pk=appeal.applicant_id)
    able = list(people.exclude(pk__in=appeal.conflicts.values("reviewer")))
    leads = RoleAssignment.objects.people(appeal.tier, GRANT_MANAGERS)
    for person in able or leads:
        key = f"{appeal.pk}:{person.pk}"
        _send(appeal, person, "appeal_opened", key, is_undecidable=not able)


def second_approval_wanted(application: Application, first: Decision) -> None:
    for message in compose_second_approval(application, first.reviewer):
        assert message.recipient is not None
        outbox.enqueue(message, key=f"{first.pk}:{message.recipient.pk}", about=application)


def _send(application: Application, person: User, kind: str, key: str, **context: object) -> bool:
    """Queue a mail once for each key. Returns True if it is new."""
    message = _compose(application, person, kind, **context)
    return outbox.enqueue(message, key=key, about=application) is not None


def _compose(application: Application, person: User, kind: str, **context: object) -> Message:
    context = {
        "application": application,
        "tier": application.tier,
        "review_path": f"/{settings.ADMIN_PATH}accounts/application/{application.pk}/change/",
        **context,
    }
    return outbox.compose(kind, context=context, recipient=person)
