"""Queues messages in the outbox, and delivers them.

A message to an account goes to one of its confirmed addresses. It is chosen when the message is
composed, and checked again before delivery, because the holder may have removed it since.
"""

import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection, models
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.background.outages import DATABASE_ERRORS, outage_message
from accounts.background.queueing import queue_after_commit
from accounts.background.task_names import AccountsTask
from accounts.errors import TransitionRefused
from accounts.mail import html_part
from accounts.mail.models import OutgoingMail
from accounts.web import sanitize

if TYPE_CHECKING:
    from accounts.users.models import User

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
#: Messages to people without an account, whose address is deleted after delivery.
LAST_MESSAGES = {"account_erased"}
#: Time after which another worker may send a message that has no result.
CLAIM = timedelta(seconds=settings.MAIL_CLAIM)
#: Messages about an address itself, such as to confirm it or to report its removal.
_ABOUT_ADDRESSES = frozenset(
    {
        *("email_confirmation", "email_confirmation_signup", "email_changed"),
        *("address_added", "address_changed", "address_removed"),
    }
)
#: The fields that every delivery changes.
_RESULT = ("state", "sent_at", "next_attempt_at", "last_error")


@dataclass(frozen=True)
class Message:
    """A message that is not queued yet. Previews show exactly what is sent."""

    kind: str
    to: str
    subject: str
    text: str
    recipient: "User | None" = None


def compose(
    kind: str, *, context: dict[str, object], to: str = "", recipient: "User | None" = None
) -> Message:
    """Render `emails/<kind>.txt`, whose first line is the subject, without queueing it.

    With a `recipient`, `to` is only a preference: the message goes to one of the account's
    confirmed addresses. An account without any receives nothing, see `enqueue`.
    """
    if recipient is not None:
        to = _address_of(recipient, preferred=to, kind=kind)
    context = {"public_url": settings.PUBLIC_URL, "recipient": recipient, **context}
    subject, _, text = render_to_string(f"emails/{kind}.txt", context).strip().partition("\n")
    text = sanitize.multiline(text).strip() + "\n"
    return Message(kind, to, _subject(subject), text, recipient)


def send(
    kind: str,
    *,
    key: str,
    context: dict[str, object],
    to: str = "",
    recipient: "User | None" = None,
    about: models.Model | None = None,
    secret: str = "",
) -> OutgoingMail | None:
    """Compose a message and queue it, see `enqueue`."""
    message = compose(kind, to=to, context=context, recipient=recipient)
    return enqueue(message, key=key, about=about, secret=secret)


def enqueue(
    message: Message, *, key: str, about: models.Model | None = None, secret: str = ""
) -> OutgoingMail | None:
    """Store a message for delivery after commit. Returns None if kind and `key` were used before.

    `about` is the object that the message concerns. `secret` is stored encrypted, apart from the
    text, and deleted after sending. A message without an address is not stored, such as to an
    erased account or one without a confirmed address.
    """
    if not message.to:
        return None
    text = sanitize.multiline(message.text)
    mail, created = OutgoingMail.objects.get_or_create(
        unique_key=f"{message.kind}:{key}",
        defaults={
            "kind": message.kind,
            "to": message.to,
            "subject": _subject(message.subject),
            "text": text.replace(secret, OutgoingMail.REDACTED) if secret else text,
            "recipient": message.recipient,
            "object_kind": (about._meta.model_name or "") if about is not None else "",
            "object_id": str(getattr(about, "public_id", about.pk)) if about is not None else "",
            "secret": secret,
        },
    )
    if not created:
        return None
    queue_after_commit(AccountsTask.DELIVER_MAIL, mail.pk)
    return mail


def _address_of(recipient: "User", *, preferred: str, kind: str) -> str:
    """Return the preferred address if confirmed, or else the primary confirmed one, if any."""
    if kind in _ABOUT_ADDRESSES:
        return preferred
    confirmed = recipient.confirmed_addresses()
    matching = [one for one in confirmed if one.lower() == preferred.lower()]
    return next(iter(matching or confirmed), "")


def _may_receive(mail: OutgoingMail) -> bool:
    """False if the address is not a confirmed one of the recipient's account."""
    if mail.recipient is None or mail.kind in _ABOUT_ADDRESSES:
        return True
    return mail.to.lower() in {one.lower() for one in mail.recipient.confirmed_addresses()}


def _subject(text: str) -> str:
    """Return at most 300 characters on one line: a line break would start another header."""
    return sanitize.one_line(text.strip())[:300]


def resend(mail: OutgoingMail) -> None:
    """Queue a failed message again, or an identical copy of any other.

    Raises TransitionRefused if the message is queued or its original text is not stored.
    """
    state = OutgoingMail.State
    if mail.state == state.QUEUED:
        raise TransitionRefused("this mail is already queued")
    if not mail.has_original_text:
        raise TransitionRefused("the text of this mail is not stored; it cannot be sent again")
    failed = OutgoingMail.objects.filter(pk=mail.pk, state=state.FAILED)
    if failed.update(state=state.QUEUED, attempts=0, next_attempt_at=timezone.now()):
        queue_after_commit(AccountsTask.DELIVER_MAIL, mail.pk)
        return
    copies = OutgoingMail.objects.filter(unique_key__startswith=f"{mail.unique_key}:again:")
    copied = ("kind", "recipient", "to", "subject", "text", "html", "object_kind", "object_id")
    copy, created = OutgoingMail.objects.get_or_create(
        unique_key=f"{mail.unique_key}:again:{copies.count() + 1}",
        defaults={name: getattr(mail, name) for name in copied},
    )
    if created:
        queue_after_commit(AccountsTask.DELIVER_MAIL, copy.pk)


def enqueued_at(kind: str, key: str) -> datetime | None:
    """Return when the message with this key was queued; None if it was not."""
    mail = OutgoingMail.objects.filter(unique_key=f"{kind}:{key}").only("created_at").first()
    return mail.created_at if mail else None


def last_enqueued_at(kind: str, recipient: "User") -> datetime | None:
    """Return when the newest message of this kind to a person was queued; None if none was."""
    mails = OutgoingMail.objects.filter(kind=kind, recipient=recipient)
    last: datetime | None = mails.aggregate(last=models.Max("created_at"))["last"]
    return last


def deliver(mail_id: int) -> None:
    """Send a message if it is due; failures are retried with exponential backoff.

    The row is claimed first, so that two workers do not both send it and no lock is held during
    SMTP. If the worker is killed, the message is due again after `CLAIM`.

    Delivery is at least once: a message is sent twice if its worker dies between the mail
    server's reply and the commit. Both copies have the same Message-ID, which lets mail
    programs detect the duplicate.
    """
    if (
        not OutgoingMail.objects.due()
        .filter(pk=mail_id)
        .update(attempts=models.F("attempts") + 1, next_attempt_at=timezone.now() + CLAIM)
    ):
        return
    mail = OutgoingMail.objects.select_related("recipient").filter(pk=mail_id).first()
    if mail is None:  # deleted meanwhile: its recipient's account was erased
        return
    if mail.recipient is not None and mail.recipient.erased_at is not None:
        mail.delete()  # written by a transaction that still saw the account
        return
    if not _may_receive(mail):
        _give_up(mail, "the account has not confirmed this address; nothing is sent to it")
    elif not mail.is_readable:
        _give_up(mail, "its link was encrypted with a lost key; let the recipient request another")
    elif not settings.MAIL_LEAVES:
        mail.state = OutgoingMail.State.KEPT
    elif mail.attempts > MAX_ATTEMPTS:  # workers were killed before they stored a result
        _give_up(mail, mail.last_error or "no attempt was completed")
    else:
        _attempt(mail)
    _save_result(mail)


def _attempt(mail: OutgoingMail) -> None:
    """Send the message and set its new state on the instance."""
    try:
        _send(mail)
    except OSError as error:  # includes smtplib.SMTPException
        _retry_later(mail, _describe(error))
    except ValueError as error:  # an invalid address or subject
        _give_up(mail, _describe(error))
    except Exception as error:
        log.exception("mail %s could not be sent", mail.public_id)
        _retry_later(mail, _describe(error))
    else:
        _mark_sent(mail)


def _describe(error: Exception) -> str:
    return str(error) or type(error).__name__


def _save_result(mail: OutgoingMail) -> None:
    """Save the row, retrying while the database is unavailable and the claim lasts.

    A sent message whose state is not saved would be sent again. A row that an erasure deleted
    meanwhile stays deleted, so the address does not reappear.
    """
    changed = [*_RESULT]
    if mail.kind in LAST_MESSAGES and mail.state != OutgoingMail.State.QUEUED:
        mail.to = mail.last_error = ""
        changed.append("to")
    if mail.state == OutgoingMail.State.SENT and mail.REDACTED in mail.text:
        changed += ["text", "secret"]
    deadline = time.monotonic() + CLAIM.total_seconds() * 0.75
    while True:
        try:
            OutgoingMail.objects.filter(pk=mail.pk).update(
                **{name: getattr(mail, name) for name in changed}
            )
        except DATABASE_ERRORS as error:
            if time.monotonic() > deadline:
                raise
            log.warning(
                "the state of mail %s is not saved yet: %s", mail.public_id, outage_message(error)
            )
            connection.close_if_unusable_or_obsolete()
            time.sleep(1)
        else:
            return


def _send(mail: OutgoingMail) -> None:
    """Send by SMTP. Raises OSError, or ValueError for an invalid address or subject."""
    message = EmailMultiAlternatives(mail.subject, mail.full_text, to=[mail.to])
    message.extra_headers["Message-ID"] = f"<{mail.public_id}@weighbridge>"
    html = html_part.render(mail.subject, mail.full_text)
    message.attach_alternative(html, "text/html")
    message.send()


def _retry_later(mail: OutgoingMail, error: str) -> None:
    mail.last_error = error[:500]
    mail.next_attempt_at = timezone.now() + timedelta(minutes=2**mail.attempts)
    if mail.attempts >= MAX_ATTEMPTS:
        mail.state = OutgoingMail.State.FAILED


def _give_up(mail: OutgoingMail, error: str) -> None:
    mail.state, mail.last_error = OutgoingMail.State.FAILED, error[:500]


def _mark_sent(mail: OutgoingMail) -> None:
    mail.state, mail.sent_at, mail.last_error = OutgoingMail.State.SENT, timezone.now(), ""
    if mail.secret:  # texts written by earlier releases contain it
        mail.text = mail.text.replace(mail.secret, mail.REDACTED)
        mail.secret = ""
