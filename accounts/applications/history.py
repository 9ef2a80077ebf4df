"""An application's events as its applicant reads them: no names of staff, no internal notes."""

from dataclasses import dataclass
from datetime import datetime

from accounts.applications.models import Application
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent

_WORDS: dict[str, str] = {
    AccountsEvent.APPLICATION_START: "You began a draft",
    AccountsEvent.APPLICATION_ADOPT: "You adopted the tier's new questions",
    AccountsEvent.APPLICATION_DOCUMENT_ADDED: "You added a document",
    AccountsEvent.APPLICATION_DOCUMENT_REMOVED: "You took a document out",
    AccountsEvent.APPLICATION_SUBMIT: "You submitted it",
    AccountsEvent.APPLICATION_RESUBMIT: "You submitted it again",
    AccountsEvent.APPLICATION_CLAIM: "A reviewer began to read it",
    AccountsEvent.APPLICATION_RELEASE: "It went back to the queue",
    AccountsEvent.APPLICATION_WITHDRAW: "You withdrew it",
    AccountsEvent.APPLICATION_RETURN: "A reviewer returned it for changes",
    AccountsEvent.APPLICATION_APPROVE: "It was approved",
    AccountsEvent.APPLICATION_REJECT: "It was rejected",
    AccountsEvent.APPLICATION_REOPEN: "Staff reopened it, to decide again",
    AccountsEvent.APPLICATION_ASSIGN: "It was given to another reviewer",
    AccountsEvent.APPLICATION_APPROVE_FIRST: "A first reviewer approved; a second one decides",
    AccountsEvent.APPLICATION_LAPSE: "It lapsed",
    AccountsEvent.LICENCE_ACCEPTED: "You accepted the licence",
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
    if event.action == AccountsEvent.LICENCE_ACCEPTED:
        return f"version {event.details.get('version', '')}"
    if event.action == AccountsEvent.APPLICATION_WITHDRAW:
        return application.withdrawn_because
    return ""
