"""Gives roles: at once in the server's shell, elsewhere once a second person has confirmed."""

from django.db import transaction
from django.utils import timezone

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.change_requests import messages
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User

#: The name of the act in `accounts.roles.assignment_act`.
ACT = "role.give"


@transaction.atomic
def give_role(
    user: User, role: Role, tier: Tier | None = None, *, by: User, reason: str = ""
) -> RoleAssignment | ChangeRequest:
    """Give a role for a tier or for every tier, or open a request for it. Idempotent.

    Raises InvalidValue for a reason outside 5 to 500 characters if a second person must confirm.
    """
    held = RoleAssignment.objects.filter(user=user, role=role, tier=tier).first()
    if held is not None:
        return held
    if not change_requests.is_required(by):
        return RoleAssignment.objects.assign(user, role, tier, by=by)
    parameters = {
        "user": str(user.public_id),
        "role": str(role),
        "tier": tier.pk if tier else None,
    }
    return change_requests.open_request(ACT, user, parameters, tiers=[tier], by=by, reason=reason)


@transaction.atomic
def give_role_in_shell(user: User, role: Role, tier: Tier | None = None) -> RoleAssignment:
    """Give a role by command and mail the staff of the tier. Idempotent.

    A role that one person assigned alone counts from now on as assigned by the command.
    """
    alone = RoleAssignment.objects.filter(user=user, role=role, tier=tier, confirmed_by=None)
    vouched = alone.exclude(assigned_by=None).update(assigned_by=None, created_at=timezone.now())
    is_new = not RoleAssignment.objects.filter(user=user, role=role, tier=tier).exists()
    assignment = RoleAssignment.objects.assign(user, role, tier)
    if vouched or is_new:
        if vouched:
            details = {"role": str(role), "tier": tier.slug if tier else None}
            AuditEvent.record(AccountsEvent.ROLE_ASSIGNED, target=user, details=details)
        event = AuditEvent.objects.about(user).filter(action=AccountsEvent.ROLE_ASSIGNED).last()
        assert event is not None
        label = Role(role).label.lower()
        sentence = f"it gave an account the role {label}"
        messages.done_in_shell(event, sentence, tier, gains=user)
    return assignment
