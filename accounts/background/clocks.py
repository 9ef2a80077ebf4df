"""What time alone brings about in the review: one file for each thing that is looked for.

Every step finds its rows anew, takes each under its lock in a transaction of its own, and
mails under a unique key. So it may run twice, by two workers at once, and be killed anywhere.
"""

from functools import partial

from django.utils import timezone

from accounts.background.clocks import (
    claims,
    consultations,
    digest,
    licences,
    overdue,
    retention,
    silence,
)
from accounts.background.models import FailedItem
from accounts.background.periodic import run_steps
from accounts.privacy import retention as keeping

STEPS = {
    "claims released": claims.release_idle,
    "applications lapsed": silence.lapse_returned,
    "applicants reminded": silence.remind_returned,
    "drafts lapsed": silence.lapse_drafts,
    "drafts warned of": silence.warn_of_drafts,
    "overdue told": overdue.tell_leads,
    "colleagues reminded": consultations.remind,
    "digests sent": digest.send,
    "new licences told": licences.announce,
    "licence reminders": licences.remind,
    "answers reduced": retention.reduce_answers,
    "documents removed": keeping.remove_attachments,
    "networks forgotten": keeping.forget_networks,
    "exports removed": keeping.remove_exports,
    "holders forgotten": keeping.remove_holder_records,
    "failures forgotten": FailedItem.objects.forget_abandoned,
}


def run() -> dict[str, int]:
    """Take every step once; returns how many rows each has changed."""
    now = timezone.now()
    return run_steps("clocks", {name: partial(step, now) for name, step in STEPS.items()})
