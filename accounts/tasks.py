"""Celery tasks of the accounts app: each takes an id or nothing and calls services."""

from functools import partial

from celery import shared_task
from django.utils import timezone

from accounts.applications.workflow import undo_window
from accounts.audit.merkle_log import copies, daily_check, signed_heads
from accounts.background import review_sweep
from accounts.background.periodic import queue_each, run_steps
from accounts.background.task_names import AccountsTask
from accounts.grants import periodic_sweep
from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.review.evidence import profiles


@shared_task(name=AccountsTask.DELIVER_MAIL)
def deliver_mail(mail_id: int) -> None:
    outbox.deliver(mail_id)


@shared_task(name=AccountsTask.SWEEP)
def sweep() -> None:
    """Apply due decisions, queue due messages, expire and resume grants, and send reminders."""
    run_steps("decisions", {"decisions finished": partial(undo_window.finish_due, timezone.now())})
    run_steps("mail", {"mails queued": _queue_mails})
    periodic_sweep.run()


def _queue_mails() -> None:
    queue_each(AccountsTask.DELIVER_MAIL, OutgoingMail.objects.due(), 500)


@shared_task(name=AccountsTask.CLOCKS)
def clocks() -> None:
    """Run the automatic transitions and reminders of reviews, and retention."""
    review_sweep.run()


@shared_task(name=AccountsTask.HEADS)
def sign_head() -> None:
    """Write due copies of heads, and sign a head if one is due."""
    now = timezone.now()
    run_steps(
        "heads",
        {"copies": partial(copies.sweep, now), "head": lambda: bool(signed_heads.sweep(now))},
    )


@shared_task(name=AccountsTask.VERIFY_AUDIT)
def verify_audit() -> None:
    """Verify part of the sealed trail; a pass over all of it starts daily."""
    daily_check.run(timezone.now())


@shared_task(name=AccountsTask.PROFILES)
def look_at_profiles() -> None:
    """Fetch the profile URLs of applicants as evidence for reviewers."""
    run_steps("profiles", {"profiles": partial(profiles.sweep, timezone.now())})
