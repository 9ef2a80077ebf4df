"""Where an application stands, as its applicant may know it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain

from django.conf import settings

from accounts.history import Event, events_of
from accounts.models import Application, OutgoingMail
from accounts.moves import Status

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
}
_STATES = {
    OutgoingMail.State.QUEUED: "on its way",
    OutgoingMail.State.KEPT: "kept here: this portal sends no mail",
    OutgoingMail.State.SENT: "sent",
    OutgoingMail.State.FAILED: "could not be delivered",
}


@dataclass(frozen=True)
class MailEvent(Event):
    """A mail on the timeline; `failed` is one that did not arrive."""

    failed: bool = False


def timeline(application: Application) -> list[Event]:
    """What happened and what was mailed, oldest first."""
    return sorted(chain(events_of(application), _mails(application)), key=lambda event: event.at)


def _mails(application: Application) -> list[MailEvent]:
    about = OutgoingMail.objects.filter(
        object_kind="application",
        object_id=str(application.public_id),
        recipient=application.applicant_id,
    )
    told = about.only("kind", "to", "state", "created_at", "sent_at").order_by("pk")
    return [
        MailEvent(
            mail.sent_at or mail.created_at,
            _MAILS.get(mail.kind, "Mail"),
            f"to {mail.to}: {_STATES[OutgoingMail.State(mail.state)]}",
            failed=mail.state == OutgoingMail.State.FAILED,
        )
        for mail in told
    ]


def answer_by(application: Application) -> date | None:
    """The day on which it lapses unless its applicant does something; None where none comes."""
    since: datetime | None
    if application.status == Status.RETURNED:
        since, days = application.returned_at, settings.RETURN_SILENCE_DAYS
    elif application.status == Status.DRAFT:
        since, days = application.saved_at, settings.DRAFT_SILENCE_DAYS
    else:
        return None
    return (since + timedelta(days=days)).date() if since else None
