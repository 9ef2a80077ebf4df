"""Background doors of the accounts app: take ids, call one domain function."""

import logging

from celery import shared_task
from django.utils import timezone

from accounts import grant_clock, outbox, profiles, sweeps
from accounts.background import queue_now
from accounts.models import Heartbeat, OutgoingMail
from accounts.sealing import copies, heads

log = logging.getLogger(__name__)


@shared_task(name="accounts.deliver_mail")
def deliver_mail(mail_id: int) -> None:
    outbox.deliver(mail_id)


@shared_task(name="accounts.sweep")
def sweep() -> None:
    """Queue messages that are due, and do what time does to grants."""
    for mail_id in OutgoingMail.objects.due().values_list("pk", flat=True)[:500]:
        if not queue_now("accounts.deliver_mail", mail_id):
            break
    grant_clock.sweep()
    Heartbeat.objects.note("mail")


@shared_task(name="accounts.clocks")
def clocks() -> None:
    """Bring about what time alone brings: reminders, lapses, idle claims, overdue mails."""
    sweeps.run()


@shared_task(name="accounts.heads")
def sign_head() -> None:
    """Sign the head daily, hourly where rows came, and bring it to its second place."""
    copies.sweep(timezone.now())
    try:
        heads.sweep(timezone.now())
    except heads.HeadRefused as error:
        log.error("no head is signed: %s", error)
        Heartbeat.objects.note("heads", {"failed": [str(error)]})
    else:
        Heartbeat.objects.note("heads")


@shared_task(name="accounts.profiles")
def look_at_profiles() -> None:
    """Open the profiles that applicants named, for the evidence beside their applications."""
    profiles.sweep(timezone.now())
