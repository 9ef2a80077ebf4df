"""Mails about acts that open a gate: requests, their outcomes, and acts in the server's shell.

They name nobody but the recipient, because the outbox outlives an erased account.
"""

from accounts.audit.models import AuditEvent
from accounts.change_requests import eligibility
from accounts.change_requests.acts import act_of
from accounts.change_requests.models import ChangeRequest
from accounts.mail import outbox
from accounts.roles.models import RoleAssignment
from accounts.tiers.models import Tier
from accounts.users.models import User


def opened(request: ChangeRequest) -> None:
    """Mail each person who may confirm the request."""
    for person in eligibility.confirmers_of(request):
        _send(request, person, "change_request_opened", f"{request.pk}:{person.pk}")


def decided(request: ChangeRequest) -> None:
    """Mail the outcome to the requester, unless they withdrew the request."""
    if request.state != ChangeRequest.State.WITHDRAWN:
        _send(request, request.requester, "change_request_decided", str(request.pk))


def done_in_shell(
    event: AuditEvent, sentence: str, tier: Tier | None, *, gains: User | None = None
) -> None:
    """Notify the staff of the tier, or of every tier, that a command opened a gate.

    `event` is the act's audit event; `sentence` must name no person. `gains` is not mailed.
    """
    roles = RoleAssignment.objects.all()
    held = roles if tier is None else roles.for_tier(tier)
    people = held.active_staff().exclude(pk__in=[gains.pk] if gains else [])
    for person in people.order_by("pk"):
        outbox.send(
            "opened_in_shell",
            key=f"{event.pk}:{person.pk}",
            recipient=person,
            context={"sentence": sentence, "event": event, "tier": tier},
        )


def _send(request: ChangeRequest, person: User, kind: str, key: str) -> None:
    names = [tier.name if tier else "every tier" for tier in eligibility.tiers_of(request)]
    context = {"request": request, "title": act_of(request).title, "scope": " and ".join(names)}
    outbox.send(kind, key=key, recipient=person, about=request, context=context)
