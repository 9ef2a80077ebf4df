"""An application's events as its applicant reads them: no names of staff, no internal notes."""

from dataclasses import dataclass
from datetime import datetime

from accounts.applications.models import Application
from accounts.audit.models import AuditEvent

_WORDS = {
    "application.start": "You began a draft",
    "application.adopt": "You adopted the tier's new questions",
    "application.document_added": "You added a document",
    "application.document_removed": "You took a document out",
    "application.submit": "You submitted it",
    "application.resubmit": "You submitted it again",
    "application.claim": "A reviewer began to read it",
    "application.release": "It went back to the queue",
    "application.withdraw": "You withdrew it",
    "application.return": "A reviewer returned it for changes",
    "application.approve": "It was approved",
    "application.reject": "It was rejected",
    "application.reopen": "Staff reopened it, to decide again",
    "application.assign": "It was given to another reviewer",
    "application.approve_first": "A first reviewer approved; a second one decides",
    "application.lapse": "It lapsed",
    "licence.accepted": "You accepted the licence",
}


@dataclass(frozen=True)
class Event:
    """One line of a timeline."""

    at: datetime
    text: str
    note: str = ""


def events_of(application: Application) -> list[Event]:
    """What happened, oldest first; actions that are staff's own business are left out."""
    return [
        Event(event.at, _WORDS[event.action], _note(event, application))
        for event in AuditEvent.objects.about(application).filter(result="ok")
        if event.action in _WORDS
    ]


def _note(event: AuditEvent, application: Application) -> str:
    if event.action == "licence.accepted":
        return f"version {event.details.get('version', '')}"
    if event.action == "application.withdraw":
        return application.withdrawn_because
    return ""
