"""Eligibility as the second person of a change request, and permission to read it."""

from django.db.models import Exists, OuterRef, Q

from accounts.change_requests import password_set_by_staff
from accounts.change_requests.acts import act_of, registered
from accounts.change_requests.models import ChangeRequest, ChangeRequestQuerySet
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, RoleQuerySet
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User


def reason_against(person: User, request: ChangeRequest) -> str:
    """Return why `person` may not confirm the request, as a sentence; empty if they may.

    The second person must be active staff, neither the requester nor the beneficiary, and hold a
    role for every tier concerned that was assigned before the request. Neither of the two may have
    been assigned the role by the other alone, nor both by the same person alone.
    """
    act = act_of(request)
    if person.pk == request.requester_id:
        return "you opened this request, so another person must confirm it"
    if not is_active_staff(person):
        return "only active staff with a second factor confirm requests"
    if person == act.beneficiary(request):
        return "you gain by this request, so another person must confirm it"
    for tier in tiers_of(request):
        if not _lasting_roles(person, request, tier).exists():
            return (
                f"this takes a role for {tier or 'every tier'} ({_listed(act.confirmers)}) that "
                "you held before the request, and that its requester did not assign alone"
            )
        if not _are_independent(person, request, tier):
            return (
                f"one person alone assigned the roles of you and the requester for "
                f"{tier or 'every tier'}; the command give_role vouches for a role"
            )
    return password_set_by_staff.REFUSAL if password_set_by_staff.was_set_by_staff(person) else ""


def confirmers_of(request: ChangeRequest) -> list[User]:
    """Return the people who may confirm the request, oldest account first."""
    roles = RoleAssignment.objects.filter(role__in=act_of(request).confirmers)
    people = User.objects.filter(pk__in=roles.values("user")).order_by("pk")
    return [person for person in people if not reason_against(person, request)]


def may_still_request(request: ChangeRequest) -> bool:
    """True if the requester is still active staff with a role for the act and its tiers."""
    person = request.requester
    if not is_active_staff(person):
        return False
    roles = act_of(request).requesters
    held = RoleAssignment.objects.held(person, roles)
    return person.is_superuser or all(_covering(held, tier).exists() for tier in tiers_of(request))


def tiers_of(request: ChangeRequest) -> list[Tier | None]:
    """Return the tiers that the request concerns; None means every tier."""
    every: list[Tier | None] = [None]
    return every if request.all_tiers else list(request.tiers.all())


def visible_to(person: User) -> ChangeRequestQuerySet:
    """Return the requests for the tiers of the person's roles, and the person's own.

    Superusers see no others, because a request may name a private checkpoint.
    """
    allowed = Q(requester=person)
    for act in registered():
        tiers = RoleAssignment.objects.held(person, act.readers).tiers()
        if tiers is None:
            allowed |= Q(act=act.name)
            continue
        others = ChangeRequest.tiers.through.objects.filter(changerequest=OuterRef("pk"))
        others = others.exclude(tier__in=tiers)
        allowed |= Q(act=act.name, all_tiers=False) & ~Q(Exists(others))
    return ChangeRequest.objects.filter(allowed)


def _lasting_roles(person: User, request: ChangeRequest, tier: Tier | None) -> RoleQuerySet:
    """Return the roles of `person` that count for the confirmation."""
    roles = RoleAssignment.objects.held(person, act_of(request).confirmers)
    alone = Q(assigned_by=request.requester_id, confirmed_by=None)
    return _covering(roles, tier).filter(created_at__lt=request.created_at).exclude(alone)


def _covering(roles: RoleQuerySet, tier: Tier | None) -> RoleQuerySet:
    return roles.filter(tier=None) if tier is None else roles.for_tier(tier)


def _are_independent(person: User, request: ChangeRequest, tier: Tier | None) -> bool:
    """True unless `person` alone assigned the requester's role, or another alone assigned both.

    A superuser needs no role to request.
    """
    requester = request.requester
    roles = RoleAssignment.objects.held(requester, act_of(request).requesters)
    theirs = [_assigned_alone_by(role) for role in _covering(roles, tier)]
    own = [_assigned_alone_by(role) for role in _lasting_roles(person, request, tier)]
    return not theirs or any(
        one != person.pk and (one is None or one != other) for one in theirs for other in own
    )


def _assigned_alone_by(role: RoleAssignment) -> int | None:
    """Return the key of the person who assigned the role alone; None if two people or a command."""
    return role.assigned_by_id if role.confirmed_by_id is None else None


def _listed(roles: frozenset[Role]) -> str:
    return ", ".join(role.label.lower() for role in Role if role in roles)
