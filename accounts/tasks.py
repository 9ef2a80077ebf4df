"""Background doors of the accounts app: take ids, call one domain function."""

from celery import shared_task

from accounts import grant_clock, outbox, sweeps
from accounts.background import queue_now
from accounts.models import Heartbeat, OutgoingMail


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
