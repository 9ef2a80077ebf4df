"""Permissions to read and triage reports, by role and tier."""

from django.db.models import Q, QuerySet

from accounts.grants.models import Grant
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import GRANT_MANAGERS, Role
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.known_issues.services import PUBLISHERS
from weights.reports.choices import TRIAGERS
from weights.reports.models import Report


def readable_by(user: User) -> QuerySet[Report]:
    """The reports that the user may triage; auditors may read those of their tiers."""
    if not is_active_staff(user):
        return Report.objects.none()
    readable = Q(pk__in=[])
    for kind, roles in TRIAGERS.items():
        tiers = RoleAssignment.objects.held(user, roles | {Role.AUDITOR}).tiers()
        if tiers is None:
            readable |= Q(kind=kind)
        elif tiers:
            # A report without a checkpoint has no tier: everybody with the role may read it.
            in_tier = Q(checkpoint__tier__in=tiers) | Q(checkpoint=None)
            readable |= Q(kind=kind) & in_tier
    return Report.objects.filter(readable)


def may_triage(user: User, report: Report) -> bool:
    if not is_active_staff(user):
        return False
    tiers = RoleAssignment.objects.held(user, TRIAGERS[report.kind]).tiers()
    if tiers is None:
        return True
    if report.checkpoint is None:
        return bool(tiers)
    return report.checkpoint.tier_id in tiers


def triagers_of(report: Report) -> list[User]:
    """Everybody who may triage the report, oldest account first."""
    assignments = RoleAssignment.objects.filter(role__in=TRIAGERS[report.kind])
    if report.checkpoint is not None:
        assignments = assignments.for_tier(report.checkpoint.tier)
    return list(assignments.active_staff().order_by("pk"))


def suspendable_by(user: User, report: Report) -> QuerySet[Grant]:
    """Live grants that the user may suspend because of the report, in their own tiers only."""
    live = Grant.objects.live().select_related("user", "tier").order_by("user__username")
    if report.checkpoint is not None:
        live = live.filter(tier=report.checkpoint.tier)
    return in_tiers(live, RoleAssignment.objects.held(user, GRANT_MANAGERS).tiers())


def checkpoints_of(user: User) -> QuerySet[Checkpoint]:
    """Checkpoints that the user can see and about which they may publish."""
    tiers = RoleAssignment.objects.held(user, PUBLISHERS).tiers()
    return in_tiers(Checkpoint.objects.visible_to(user), tiers)
