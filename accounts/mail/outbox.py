"""Put a message into the outbox, and deliver it from there."""

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

from accounts.background.outages import DATABASE_AWAY, in_a_line
from accounts.background.queueing import queue_after_commit
from accounts.background.task_names import AccountsTask
from accounts.errors import TransitionRefused
from accounts.mail.models import OutgoingMail
from accounts.web import sanitize

if TYPE_CHECKING:
    from accounts.users.models import User

log = logging.getLogger(__name__)

ATTEMPTS_MOST = 8
#: How long a worker that is sending may be silent before another sends in its place.
CLAIM = timedelta(seconds=settings.MAIL_CLAIM)


@dataclass(frozen=True)
class Message:
    """A composed message, before it is anybody's row: what a preview shows is what leaves."""

    kind: str
    to: str
    subject: str
    text: str
    recipient: "User | None" = None


def compose(
    kind: str, *, to: str, context: dict[str, object], recipient: "User | None" = None
) -> Message:
    """Render `emails/<kind>.txt`, whose first line is the subject. Writes nothing."""
    context = {"public_url": settings.PUBLIC_URL, "recipient": recipient, **context}
    subject, _, text = render_to_string(f"emails/{kind}.txt", context).strip().partition("\n")
    text = sanitize.multiline(text).strip() + "\n"
    return Message(kind, to, _subject(subject), text, recipient)


def post(
    message: Message, *, key: str, about: models.Model | None = None, secret: str = ""
) -> OutgoingMail | None:
    """Write a composed message for delivery after commit; None when `key` was used before."""
    return enqueue(
        message.kind,
        message.to,
        key,
        message.subject,
        message.text,
        recipient=message.recipient,
        about=about,
        secret=secret,
    )


def send(
    kind: str,
    *,
    to: str,
    key: str,
    context: dict[str, object],
    recipient: "User | None" = None,
    about: models.Model | None = None,
    secret: str = "",
) -> OutgoingMail | None:
    """Compose a message and write it for delivery after commit.

    None when `key` was used before: the same cause mails once. `secret` is blotted out of
    the stored text once it has left.
    """
    message = compose(kind, to=to, context=context, recipient=recipient)
    return post(message, key=key, about=about, secret=secret)


def enqueue(
    kind: str,
    to: str,
    key: str,
    subject: str,
    text: str,
    recipient: "User | None" = None,
    about: models.Model | None = None,
    secret: str = "",
) -> OutgoingMail | None:
    """Write a ready message; None when `key` was used before."""
    mail, created = OutgoingMail.objects.get_or_create(
        unique_key=f"{kind}:{key}",
        defaults={
            "kind": kind,
            "to": to,
            "subject": _subject(subject),
            "text": sanitize.multiline(text),
            "recipient": recipient,
            "object_kind": (about._meta.model_name or "") if about is not None else "",
            "object_id": str(getattr(about, "public_id", about.pk)) if about is not None else "",
            "secret": secret,
        },
    )
    if not created:
        return None
    queue_after_commit(AccountsTask.DELIVER_MAIL, mail.pk)
    return mail


def _subject(text: str) -> str:
    """One line: a line break would begin another header."""
    return sanitize.one_line(text.strip())[:300]


def send_again(mail: OutgoingMail) -> None:
    """Send a message once more, as it was: one that left as a message of its own.

    Raises TransitionRefused for one that is on its way, and for one whose words are not kept.
    """
    state = OutgoingMail.State
    if mail.state == state.QUEUED:
        raise TransitionRefused("this mail is on its way already")
    if not mail.keeps_its_words:
        raise TransitionRefused("what this mail said is not kept; it cannot be sent again")
    failed = OutgoingMail.objects.filter(pk=mail.pk, state=state.FAILED)
    if failed.update(state=state.QUEUED, attempts=0, next_attempt_at=timezone.now()):
        queue_after_commit(AccountsTask.DELIVER_MAIL, mail.pk)
        return
    copies = OutgoingMail.objects.filter(unique_key__startswith=f"{mail.unique_key}:again:")
    as_it_was = ("kind", "recipient", "to", "subject", "text", "html", "object_kind", "object_id")
    again, made = OutgoingMail.objects.get_or_create(
        unique_key=f"{mail.unique_key}:again:{copies.count() + 1}",
        defaults={name: getattr(mail, name) for name in as_it_was},
    )
    if made:
        queue_after_commit(AccountsTask.DELIVER_MAIL, again.pk)


def written(kind: str, key: str) -> datetime | None:
    """When the message of this cause was written, if it was."""
    mail = OutgoingMail.objects.filter(unique_key=f"{kind}:{key}").only("created_at").first()
    return mail.created_at if mail else None


def last_written(kind: str, recipient: "User") -> datetime | None:
    """When this person was last written a message of this kind."""
    mine = OutgoingMail.objects.filter(kind=kind, recipient=recipient)
    last: datetime | None = mine.aggregate(last=models.Max("created_at"))["last"]
    return last


def deliver(mail_id: int) -> None:
    """Send one message if it is due; a failure waits longer each time, then is shown.

    The row is claimed first, so that two workers cannot both send it, and no lock is held
    while the server is spoken to. A worker killed in between leaves it due again later.

    So each message leaves at least once, and a second time only if its worker dies between the
    mail server's last word and the commit that remembers it; SMTP has no way to take both in
    one. Both copies then carry one Message-ID, by which mail programs know them for the same.
    """
    if (
        not OutgoingMail.objects.due()
        .filter(pk=mail_id)
        .update(attempts=models.F("attempts") + 1, next_attempt_at=timezone.now() + CLAIM)
    ):
        return
    mail = OutgoingMail.objects.get(pk=mail_id)
    if not settings.MAIL_LEAVES:
        mail.state = OutgoingMail.State.KEPT
    elif mail.attempts > ATTEMPTS_MOST:  # whatever ended those before left no word
        _give_up(mail, mail.last_error or "no try came to an end")
    else:
        _try(mail)
    _remember(mail)


def _try(mail: OutgoingMail) -> None:
    """Send it, and note on the row what came of that."""
    try:
        _send(mail)
    except OSError as error:  # smtplib's errors are OSErrors too
        _try_later(mail, _words(error))
    except ValueError as error:  # an address or a subject that no mail can have
        _give_up(mail, _words(error))
    except Exception as error:  # a fault of ours
        log.exception("mail %s could not be sent", mail.public_id)
        _try_later(mail, _words(error))
    else:
        _note_sent(mail)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _remember(mail: OutgoingMail) -> None:
    """Write what came of it, however long the database is away while the claim holds.

    A message that has left and is not remembered as sent would leave again.
    """
    patience = time.monotonic() + CLAIM.total_seconds() * 0.75
    while True:
        try:
            mail.save()
        except DATABASE_AWAY as error:
            if time.monotonic() > patience:
                raise
            log.warning("mail %s has left: %s", mail.public_id, in_a_line(error))
            connection.close_if_unusable_or_obsolete()
            time.sleep(1)
        else:
            return


def _send(mail: OutgoingMail) -> None:
    """Hand it to the mail server; raises OSError, and ValueError for what can be no mail."""
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[mail.to])
    message.extra_headers["Message-ID"] = f"<{mail.public_id}@weighbridge>"
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    message.send()


def _try_later(mail: OutgoingMail, error: str) -> None:
    mail.last_error = error[:500]
    mail.next_attempt_at = timezone.now() + timedelta(minutes=2**mail.attempts)
    if mail.attempts >= ATTEMPTS_MOST:
        mail.state = OutgoingMail.State.FAILED


def _give_up(mail: OutgoingMail, error: str) -> None:
    mail.state, mail.last_error = OutgoingMail.State.FAILED, error[:500]


def _note_sent(mail: OutgoingMail) -> None:
    mail.state, mail.sent_at, mail.last_error = OutgoingMail.State.SENT, timezone.now(), ""
    if mail.secret:
        mail.text = mail.text.replace(mail.secret, mail.BLOTTED)
        mail.secret = ""
