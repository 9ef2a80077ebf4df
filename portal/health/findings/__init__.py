"""The lines of the health page: work that has waited too long, stopped or failed.

Shows only counts, without names or answers, in a fixed number of queries. Applications are those
of the reader's tiers; everything else is of the whole portal.
"""

from django.utils import timezone

from accounts.background.models import Heartbeat
from portal.backup import reread
from portal.health import backups, clock, nginx_access
from portal.health.findings import blobs, checkpoints, mails, processes, review, sweeps, trail
from portal.health.findings.line import Line
from portal.health.findings.processes import broker
from portal.health.findings.sweeps import SWEEPS

__all__ = ["SWEEPS", "Line", "broker", "lines"]


def lines(tiers: set[int] | None = None, *, with_bucket: bool = True) -> list[Line]:
    """All lines: at most twenty queries, one request to the broker and two to the bucket.

    With `tiers`, counts only applications of these tiers, and leaves out errors of single items,
    which may name records of other tiers. Without `with_bucket`, leaves out the two lines that
    ask the bucket, so that a store that hangs delays nothing.
    """
    now = timezone.now()
    waiting = [*review.queue(now, tiers), *blobs.verification(now), *mails.outbox(now)]
    waiting += [checkpoints.links(), checkpoints.signing(now)]
    waiting += [blobs.overdue_scrubs(now), blobs.survey(now), mails.recall_mails(now)]
    if with_bucket:
        waiting += [blobs.versions(), Line("Clock", *clock.check())]
    waiting += [Line("Files for nginx", *nginx_access.check())]
    beats = {beat.name: beat for beat in Heartbeat.objects.all()}
    waiting += trail.lines(beats.get("sealing"), now)
    backup = backups.check(beats.get(reread.HEARTBEAT), now)
    waiting += [review.second_person(now), Line("Backup", *backup)]
    return [
        *waiting,
        *sweeps.lines(beats, now),
        sweeps.failed_items(now, tiers),
        broker(),
        processes.counters(),
        *processes.children(now),
    ]
