"""Background doors of the accounts app: take ids, call one domain function."""

from functools import partial

from celery import shared_task
from django.utils import timezone

from accounts.audit.merkle_log import copies, daily_check, heads
from accounts.background import review_sweep
from accounts.background.periodic import queue_each, run_steps
from accounts.background.task_names import AccountsTask
from accounts.grants import expiry
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.review.evidence import profiles


@shared_task(name=AccountsTask.DELIVER_MAIL)
def deliver_mail(mail_id: int) -> None:
    outbox.deliver(mail_id)


@shared_task(name=AccountsTask.SWEEP)
def sweep() -> None:
    """Queue messages that are due, and do what time does to grants."""
    run_steps("mail", {"mails queued": _queue_mails})
    expiry.sweep()


def _queue_mails() -> None:
    queue_each(AccountsTask.DELIVER_MAIL, OutgoingMail.objects.due(), 500)


@shared_task(name=AccountsTask.CLOCKS)
def clocks() -> None:
    """Bring about what time alone brings: reminders, lapses, idle claims, overdue mails."""
    review_sweep.run()


@shared_task(name=AccountsTask.HEADS)
def sign_head() -> None:
    """Sign the head daily, hourly where rows came, and bring it to its second place."""
    now = timezone.now()
    run_steps(
        "heads", {"copies": partial(copies.sweep, now), "head": lambda: bool(heads.sweep(now))}
    )


@shared_task(name=AccountsTask.VERIFY_AUDIT)
def verify_audit() -> None:
    """Read a part of the sealed trail again, so that all of it is checked once a day."""
    daily_check.take_turn(timezone.now())


@shared_task(name=AccountsTask.PROFILES)
def look_at_profiles() -> None:
    """Open the profiles that applicants named, for the evidence beside their applications."""
    run_steps("profiles", {"profiles": partial(profiles.sweep, timezone.now())})
