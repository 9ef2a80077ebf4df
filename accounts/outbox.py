"""Put a message into the outbox, and deliver it from there."""

from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.background import queue_after_commit
from accounts.models.mail import OutgoingMail

if TYPE_CHECKING:
    from accounts.models import User

ATTEMPTS_MOST = 8
BLOTTED = "[removed after sending]"


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
    """Write the message `emails/<kind>.txt` for delivery after commit.

    The template's first line is the subject. None when `key` was used before: the same
    cause mails once. `secret` is blotted out of the stored text once it has left.
    """
    context = {"public_url": settings.PUBLIC_URL, "recipient": recipient, **context}
    subject, _, text = render_to_string(f"emails/{kind}.txt", context).strip().partition("\n")
    return enqueue(kind, to, key, subject, text.strip() + "\n", "", recipient, about, secret)


def enqueue(
    kind: str,
    to: str,
    key: str,
    subject: str,
    text: str,
    html: str = "",
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
            "subject": subject.strip()[:300],
            "text": text,
            "html": html,
            "recipient": recipient,
            "object_kind": (about._meta.model_name or "") if about is not None else "",
            "object_id": str(getattr(about, "public_id", about.pk)) if about is not None else "",
            "secret": secret,
        },
    )
    if not created:
        return None
    queue_after_commit("accounts.deliver_mail", mail.pk)
    return mail


def deliver(mail_id: int) -> None:
    """Send one message if it is still due; a failure waits longer each time, then is shown.

    The row is locked while the server is spoken to, so that two workers cannot both send it.
    """
    with transaction.atomic():
        due = OutgoingMail.objects.select_for_update(skip_locked=True).due()
        mail = due.filter(pk=mail_id).first()
        if mail is None:
            return
        if not settings.MAIL_LEAVES:
            mail.state = OutgoingMail.State.KEPT
        else:
            _try_to_send(mail)
        mail.save()


def _try_to_send(mail: OutgoingMail) -> None:
    message = EmailMultiAlternatives(mail.subject, mail.text, to=[mail.to])
    message.extra_headers["Message-ID"] = f"<{mail.public_id}@weighbridge>"
    if mail.html:
        message.attach_alternative(mail.html, "text/html")
    mail.attempts += 1
    try:
        message.send()
    except OSError as error:  # smtplib's errors are OSErrors too
        mail.last_error = str(error)[:500]
        mail.next_attempt_at = timezone.now() + timedelta(minutes=2**mail.attempts)
        if mail.attempts >= ATTEMPTS_MOST:
            mail.state = OutgoingMail.State.FAILED
        return
    mail.state, mail.sent_at, mail.last_error = OutgoingMail.State.SENT, timezone.now(), ""
    if mail.secret:
        mail.text = mail.text.replace(mail.secret, BLOTTED)
        mail.secret = ""
