"""The first page of the admin: what is wrong, then the reader's work."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.change_requests import services as change_requests
from accounts.change_requests.acts import act_of
from accounts.change_requests.models import ChangeRequest
from accounts.review import queue
from accounts.review.queue import Desk
from accounts.users.models import User
from portal.health.findings import Line
from weights.reports import permissions
from weights.reports.choices import State


@dataclass(frozen=True)
class Work:
    """How many things of one kind wait for the reader, and the URL of their list."""

    count: int
    name: str
    url: str


def context(user: User, lines: list[Line]) -> dict[str, Any]:
    """The context of the page for this reader; `lines` are those of their health page."""
    waiting = change_requests.waiting_for(user)
    return {
        "change_requests": [(one, act_of(one).describe(one).sentence) for one in waiting],
        "exceptions": sorted(
            (line for line in lines if line.state != "ok"), key=lambda line: line.state
        ),
        "healthy": [line for line in lines if line.state == "ok"],
        "work": [one for one in _work(user) if one.count],
    }


def _work(user: User) -> Iterator[Work]:
    """Yield the reader's open work, of the kinds that they may see."""
    if user.has_perm("accounts.view_application"):
        page = reverse("admin:accounts_application_changelist")
        counts = queue.desk_counts(Application.objects.readable_by(user), user)
        for desk, name in _DESKS.items():
            yield Work(counts[desk], name, f"{page}?desk={desk}")
    if user.has_perm("weights.view_report"):
        page = reverse("admin:weights_report_changelist")
        open_reports = permissions.readable_by(user).filter(state__in=[State.NEW, State.TRIAGED])
        own = open_reports.filter(assigned_to=user).count()
        yield Work(own, "Reports assigned to me", f"{page}?assigned_to__id__exact={user.pk}")
        new = open_reports.filter(state=State.NEW).count()
        yield Work(new, "New reports", f"{page}?state__exact={State.NEW}")
    own_requests = ChangeRequest.objects.waiting().filter(requester=user).count()
    url = reverse("admin:accounts_changerequest_changelist")
    yield Work(own_requests, "My requests that wait for a second person", url)
    drafts = user.applications.filter(status__in=[Status.DRAFT, Status.RETURNED]).count()
    yield Work(drafts, "My own applications to finish", reverse("accounts:application-list"))


_DESKS = {
    Desk.MINE: "Applications that I claimed",
    Desk.OVERDUE: "Applications overdue",
    Desk.SECOND: "Applications for my second approval",
    Desk.ASKED: "Questions to me",
    Desk.UNCLAIMED: "Unclaimed applications",
}
