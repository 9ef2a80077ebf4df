"""The periodic steps of review and retention: reminders, lapses, idle claims, deletions.

Each step queries its rows, locks each in its own transaction, and mails under a unique key. So
the sweep may run in two workers at once and may be killed at any point.
"""

from functools import partial

from django.utils import timezone

from accounts.applications import inactivity
from accounts.background.models import FailedItem
from accounts.background.periodic import run_steps
from accounts.change_requests import services as change_requests
from accounts.privacy import retention
from accounts.review import deadlines, digest
from accounts.tiers import licence_notices
from accounts.transparency import renew

STEPS = {
    "claims released": deadlines.release_idle_claims,
    "applications lapsed": inactivity.lapse_returned,
    "applicants reminded": inactivity.remind_returned,
    "drafts lapsed": inactivity.lapse_drafts,
    "drafts warned of": inactivity.warn_of_drafts,
    "overdue told": deadlines.report_overdue,
    "colleagues reminded": deadlines.remind_colleagues,
    "digests sent": digest.send,
    "change requests expired": change_requests.expire,
    "new licences told": licence_notices.announce,
    "licence reminders": licence_notices.remind,
    "answers reduced": retention.reduce_answers,
    "documents removed": retention.remove_attachments,
    "networks forgotten": retention.forget_networks,
    "exports removed": retention.remove_exports,
    "holders forgotten": retention.remove_holder_records,
    "statistics counted": renew,
    "failures forgotten": FailedItem.objects.forget_abandoned,
}


def run() -> dict[str, int]:
    """Run every step once. Returns the number of rows that each changed."""
    now = timezone.now()
    return run_steps("clocks", {name: partial(step, now) for name, step in STEPS.items()})
