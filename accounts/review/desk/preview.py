"""The mails of a verdict before it is given: composed by the calls that will write them."""

import hashlib
from typing import Any

from accounts.applications.models import Application
from accounts.mail import messages as emails
from accounts.mail.outbox import Message
from accounts.users.models import User


def messages(
    verdict: str, application: Application, by: User, said: dict[str, Any]
) -> list[Message]:
    """What leaves if `by` gives this verdict with these words; several when staff is told."""
    match verdict:
        case "approve" if is_first_of_two(application):
            return emails.compose_second_approval(application, by)
        case "approve":
            note = application.note_of_approvals(said["note"])
            return [emails.compose_approved(application, until=said["until"], note=note)]
        case "return":
            words = {name: said[name] for name in ("reasons", "remarks", "note")}
            return [emails.compose_returned(application, **words)]
        case _:
            words = {name: said[name] for name in ("reasons", "note")}
            return [emails.compose_rejected(application, **words)]


def is_first_of_two(application: Application) -> bool:
    return application.tier.approvals_needed > 1 and application.first_approval is None


def digest(composed: list[Message]) -> str:
    """Names exactly these mails: a decision that was previewed sends them or none."""
    words = "\0".join(f"{one.to}\0{one.subject}\0{one.text}" for one in composed)
    return hashlib.sha256(words.encode()).hexdigest()
