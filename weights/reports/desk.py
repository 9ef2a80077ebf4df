"""Who may read and triage which report."""

from django.db.models import Q, QuerySet

from accounts.grants.models import Grant
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS, Role
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.reports.kinds import PUBLISHERS, TRIAGERS
from weights.reports.models import Report


def readable_by(user: User) -> QuerySet[Report]:
    """Reports that this person triages, and for auditors those of their tiers."""
    if not is_active_staff(user):
        return Report.objects.none()
    wanted = Q(pk__in=[])
    for kind, roles in TRIAGERS.items():
        for tier in _tiers(user, roles | {Role.AUDITOR}):
            # Without a checkpoint a report is of no tier: everybody of the role sees it.
            mine = Q() if tier is None else Q(checkpoint__tier=tier) | Q(checkpoint=None)
            wanted |= Q(kind=kind) & mine
    return Report.objects.filter(wanted)


def may_triage(user: User, report: Report) -> bool:
    if not is_active_staff(user):
        return False
    tiers = _tiers(user, TRIAGERS[report.kind])
    if report.checkpoint is None:
        return bool(tiers)
    return None in tiers or report.checkpoint.tier_id in tiers


def triagers_of(report: Report) -> list[User]:
    """Everybody who may triage it, by their account's age."""
    held = RoleAssignment.objects.filter(role__in=TRIAGERS[report.kind])
    if report.checkpoint is not None:
        held = held.for_tier(report.checkpoint.tier)
    return list(held.active_staff().order_by("pk"))


def suspendable_by(user: User, report: Report) -> QuerySet[Grant]:
    """Live grants that somebody may suspend for it: names of other tiers' holders stay there."""
    live = Grant.objects.live().select_related("user", "tier").order_by("user__username")
    if report.checkpoint is not None:
        live = live.filter(tier=report.checkpoint.tier)
    tiers = _tiers(user, GRANT_MANAGERS)
    return live if None in tiers else live.filter(tier__in=tiers)


def checkpoints_of(user: User) -> QuerySet[Checkpoint]:
    """Checkpoints that somebody may know of and publish about."""
    known = Checkpoint.objects.visible_to(user)
    tiers = _tiers(user, PUBLISHERS)
    return known if None in tiers else known.filter(tier__in=tiers)


def _tiers(user: User, roles: frozenset[Role]) -> set[int | None]:
    """The tiers for which somebody holds one of the roles; None among them for all."""
    return set(RoleAssignment.objects.held(user, roles).values_list("tier_id", flat=True))
