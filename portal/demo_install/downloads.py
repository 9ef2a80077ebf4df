"""Downloads of the two demo checkpoints, by people with access and anonymously."""

from collections.abc import Iterator
from functools import partial

from django.utils import timezone

from accounts.grants.models import Grant
from portal.demo_install.story import DAYS, Event, Moment
from weights import gate
from weights.gate.caller import ANONYMOUS, Caller, session_caller
from weights.ledger import recording
from weights.ledger.models import Download
from weights.publishing.demo import DEMOS

OPEN, GATED = (demo.repo_id for demo in DEMOS)
#: Maximum files that one download fetches, so that filling takes only a minute.
_MOST = 120


def events() -> Iterator[Event]:
    """Anonymous downloads on most days, and one of the gated checkpoint every third day."""
    for day in range(3, DAYS):
        for visit in range((day * 7) % 4):
            yield Event(Moment(day, 10 + visit), partial(_fetch, ANONYMOUS, OPEN))
        if day % 3 == 0:
            yield Event(Moment(day, 18), partial(_fetch_as_holder, day))


def _fetch_as_holder(day: int) -> None:
    holders = [grant.user for grant in Grant.objects.live().select_related("user").order_by("pk")]
    if holders:
        _fetch(session_caller(holders[day % len(holders)]), GATED)


def _fetch(caller: Caller, repo_id: str) -> None:
    decision = gate.may_fetch_revision(caller, repo_id, "main", timezone.now())
    decision.demand_allowed()
    assert decision.revision is not None  # an allowed decision about a revision names it
    files = decision.revision.files.select_related("blob", "revision__checkpoint__tier")
    for file in files.order_by("path")[:_MOST]:
        served = Download.Outcome.SERVED
        recording.record_served(caller, decision, file, served, start=0, length=file.size)
