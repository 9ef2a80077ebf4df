"""The timeline of an application as its applicant reads it, without names and notes of staff."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.review.models import Decision

#: Audit event -> what the applicant reads; other events are internal to staff.
_EVENTS: dict[str, str] = {
    AccountsEvent.APPLICATION_START: "You began a draft",
    AccountsEvent.APPLICATION_ADOPT: "You adopted the tier's new questions",
    AccountsEvent.APPLICATION_DOCUMENT_ADDED: "You added a document",
    AccountsEvent.APPLICATION_DOCUMENT_REMOVED: "You removed a document",
    AccountsEvent.APPLICATION_SUBMIT: "You submitted it",
    AccountsEvent.APPLICATION_RESUBMIT: "You submitted it again",
    AccountsEvent.APPLICATION_CLAIM: "A reviewer began to read it",
    AccountsEvent.APPLICATION_RELEASE: "It went back to the queue",
    AccountsEvent.APPLICATION_WITHDRAW: "You withdrew it",
    AccountsEvent.APPLICATION_RETURN: "A reviewer returned it for changes",
    AccountsEvent.APPLICATION_APPROVE: "It was approved",
    AccountsEvent.APPLICATION_REJECT: "It was rejected",
    AccountsEvent.APPLICATION_REOPEN: "Staff reopened it for a new decision",
    AccountsEvent.APPLICATION_APPEAL: "You appealed the rejection",
    AccountsEvent.APPLICATION_ASSIGN: "It was assigned to another reviewer",
    AccountsEvent.APPLICATION_APPROVE_FIRST: "A first reviewer approved it; a second one decides",
    AccountsEvent.APPLICATION_LAPSE: "It lapsed",
    AccountsEvent.LICENCE_ACCEPTED: "You accepted the licence",
}


#: Kind of mail -> its name on the timeline.
_MAILS = {
    "application_received": "Receipt",
    "application_returned": "Mail with the reviewer's remarks",
    "application_approved": "Mail with the approval",
    "application_rejected": "Mail with the reasons",
    "appeal_received": "Receipt of the appeal",
    "appeal_rejected": "Mail with the decision on the appeal",
    "application_withdrawn": "Confirmation of the withdrawal",
    "application_lapsed": "Notice that it lapsed",
    "application_reopened": "Notice that it was reopened",
    "remark_made": "Mail with a remark",
    "return_reminder": "Reminder to make the changes",
    "draft_warning": "Warning that the draft will be deleted",
}
_STATES = {
    OutgoingMail.State.QUEUED: "on its way",
    OutgoingMail.State.KEPT: "not sent: this portal sends no mail",
    OutgoingMail.State.SENT: "sent",
    OutgoingMail.State.FAILED: "could not be delivered",
}


@dataclass(frozen=True)
class Event:
    """One line of the timeline."""

    at: datetime
    text: str
    note: str = ""


@dataclass(frozen=True)
class MailEvent(Event):
    """A mail on the timeline; `failed` marks one that was not delivered.

    Subject and body are empty if they are not stored; `mail_id` is empty while it is queued.
    """

    failed: bool = False
    subject: str = ""
    body: str = ""
    mail_id: str = ""


def timeline(application: Application) -> list[Event]:
    """Return the events and the mails, oldest first."""
    mails = [_mail_event(mail) for mail in mails_to_applicant(application)]
    return sorted([*events_of(application), *mails], key=lambda event: event.at)


def events_of(application: Application) -> list[Event]:
    """Return the events, oldest first."""
    return [
        Event(event.at, _EVENTS[event.action], _note(event, application))
        for event in AuditEvent.objects.about(application).filter(result="ok")
        if event.action in _EVENTS
    ]


def visible_decisions(application: Application) -> list[Decision]:
    """Return the decisions that the applicant may read; an approval only once it gives access."""
    decisions = list(application.decisions.all())
    final = decisions[-1:] if application.status == Status.APPROVED else []
    return [
        decision
        for decision in decisions
        if decision.verdict != Decision.Verdict.APPROVE or decision in final
    ]


def mails_to_applicant(application: Application) -> QuerySet[OutgoingMail]:
    """Return the mails that the applicant received about the application, oldest first."""
    about = OutgoingMail.objects.filter(
        object_kind="application",
        object_id=str(application.public_id),
        recipient=application.applicant_id,
    )
    return about.order_by("pk")


def _note(event: AuditEvent, application: Application) -> str:
    if event.action == AccountsEvent.LICENCE_ACCEPTED:
        return f"version {event.details.get('version', '')}"
    if event.action == AccountsEvent.APPLICATION_WITHDRAW:
        return application.withdrawn_because
    return ""


def _mail_event(mail: OutgoingMail) -> MailEvent:
    state, is_stored = OutgoingMail.State(mail.state), mail.has_original_text
    return MailEvent(
        mail.sent_at or mail.created_at,
        _MAILS.get(mail.kind, "Mail"),
        f"to {mail.to}: {_STATES[state]}",
        failed=state == OutgoingMail.State.FAILED,
        subject=mail.subject if is_stored else "",
        body=mail.text if is_stored else "",
        mail_id=str(mail.public_id) if mail.can_be_sent_again else "",
    )


def lapse_date(application: Application) -> date | None:
    """Return the day on which the application lapses if its applicant does nothing, or None."""
    limits = {
        Status.RETURNED: settings.RETURN_SILENCE_DAYS,
        Status.DRAFT: settings.DRAFT_SILENCE_DAYS,
    }
    days = limits.get(Status(application.status))
    return None if days is None else (application.last_heard_at + timedelta(days=days)).date()
