"""Previews of the mails of a verdict, composed by the functions that will send them."""

import hashlib
from typing import Any

from accounts.applications import messages as applicant_mails
from accounts.applications.models import Application
from accounts.applications.workflow import decisions
from accounts.mail.outbox import Message
from accounts.review import messages as staff_mails
from accounts.users.models import User


def compose_approval(application: Application, by: User, values: dict[str, Any]) -> list[Message]:
    """Return the mail to the applicant; for the first of two approvals, those to reviewers."""
    if is_first_of_two(application):
        return staff_mails.compose_second_approval(application, by)
    note = decisions.joined_notes(application, values["note"])
    return [applicant_mails.compose_approved(application, until=values["until"], note=note)]


def compose_return(application: Application, by: User, values: dict[str, Any]) -> list[Message]:
    fields = {name: values[name] for name in ("reasons", "remarks", "note")}
    return [applicant_mails.compose_returned(application, **fields)]


def compose_rejection(application: Application, by: User, values: dict[str, Any]) -> list[Message]:
    fields = {name: values[name] for name in ("reasons", "note")}
    return [applicant_mails.compose_rejected(application, **fields)]


def is_first_of_two(application: Application) -> bool:
    """True if the tier needs two approvals and the application has none yet."""
    return application.tier.approvals_needed > 1 and application.first_approval is None


def digest(messages: list[Message]) -> str:
    """Return the SHA-256, in hex, of the recipients, subjects and texts.

    A decision made from a preview fails if its mails would differ.
    """
    parts = "\0".join(f"{one.to}\0{one.subject}\0{one.text}" for one in messages)
    return hashlib.sha256(parts.encode()).hexdigest()


def summary(messages: list[Message], values: dict[str, Any]) -> dict[str, Any]:
    """Return the first mail, all recipients, the digest, and the end of access."""
    return {
        "to": [message.to for message in messages],
        "subject": messages[0].subject if messages else "",
        "text": messages[0].text if messages else "",
        "seen": digest(messages),
        "until": values.get("until"),
    }
