"""Where an application stands, as its applicant may know it."""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

from django.conf import settings
from django.db.models import QuerySet

from accounts.applications.history import Event, events_of
from accounts.applications.models import Application
from accounts.applications.state_machine import Status
from accounts.mail.models import OutgoingMail
from accounts.review.models import Decision

#: Mails to the applicant about one application, as the timeline names them.
_MAILS = {
    "application_received": "Receipt",
    "application_returned": "Mail with the reviewer's remarks",
    "application_approved": "Mail with the approval",
    "application_rejected": "Mail with the reasons",
    "application_withdrawn": "Mail that it is withdrawn",
    "application_lapsed": "Mail that it lapsed",
    "application_reopened": "Mail that it is reopened",
    "remark_made": "Mail with a remark",
    "return_reminder": "Reminder that it waits for you",
    "draft_warning": "Warning that the draft will be erased",
}
_STATES = {
    OutgoingMail.State.QUEUED: "on its way",
    OutgoingMail.State.KEPT: "kept here: this portal sends no mail",
    OutgoingMail.State.SENT: "sent",
    OutgoingMail.State.FAILED: "could not be delivered",
}


@dataclass(frozen=True)
class MailEvent(Event):
    """A mail on the timeline; `failed` is one that did not arrive.

    Its words are empty where they are not kept; `mail_id` is empty while it is on its way.
    """

    failed: bool = False
    subject: str = ""
    words: str = ""
    mail_id: str = ""


def timeline(application: Application) -> list[Event]:
    """What happened and what was mailed, oldest first."""
    return sorted(chain(events_of(application), _mails(application)), key=lambda event: event.at)


def decisions_told(application: Application) -> list[Decision]:
    """What was decided, as its applicant may know it: an approval counts once it gave access."""
    made = list(application.decisions.all())
    final = made[-1:] if application.status == Status.APPROVED else []
    return [one for one in made if one.verdict != Decision.Verdict.APPROVE or one in final]


def mails_to_applicant(application: Application) -> QuerySet[OutgoingMail]:
    """What its applicant was mailed about it, and may read and have sent again."""
    about = OutgoingMail.objects.filter(
        object_kind="application",
        object_id=str(application.public_id),
        recipient=application.applicant_id,
    )
    return about.order_by("pk")


def _mails(application: Application) -> list[MailEvent]:
    return [_mail(mail) for mail in mails_to_applicant(application)]


def _mail(mail: OutgoingMail) -> MailEvent:
    state, keeps = OutgoingMail.State(mail.state), mail.has_original_text
    return MailEvent(
        mail.sent_at or mail.created_at,
        _MAILS.get(mail.kind, "Mail"),
        f"to {mail.to}: {_STATES[state]}",
        failed=state == OutgoingMail.State.FAILED,
        subject=mail.subject if keeps else "",
        words=mail.text if keeps else "",
        mail_id=str(mail.public_id) if keeps and state != OutgoingMail.State.QUEUED else "",
    )


def answer_by(application: Application) -> date | None:
    """The day on which it lapses unless its applicant does something; None where none comes."""
    silence = {
        Status.RETURNED: settings.RETURN_SILENCE_DAYS,
        Status.DRAFT: settings.DRAFT_SILENCE_DAYS,
    }
    days = silence.get(Status(application.status))
    return None if days is None else (application.last_heard_at + timedelta(days=days)).date()
