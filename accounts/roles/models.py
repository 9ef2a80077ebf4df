"""Assignments of staff roles to people, for one tier or for all."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import models, transaction

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models.event import AuditEvent
from accounts.roles.active_staff import is_active_staff
from accounts.roles.permissions import Role
from accounts.users import recent_authentication

if TYPE_CHECKING:
    from accounts.tiers.models import Tier
    from accounts.users.models import User


Rows = TypeVar("Rows", bound=models.QuerySet[Any])


def in_tiers(rows: Rows, tiers: set[int] | None, field: str = "tier") -> Rows:
    """Return the `rows` whose `field` is among `tiers`; all if `tiers` is None."""
    return rows if tiers is None else rows.filter(**{f"{field}__in": tiers})


class RoleQuerySet(models.QuerySet["RoleAssignment"]):
    def held(self, user: "User", roles: frozenset[Role]) -> "RoleQuerySet":
        return self.filter(user=user, role__in=roles)

    def for_tier(self, tier: "Tier") -> "RoleQuerySet":
        return self.filter(models.Q(tier=None) | models.Q(tier=tier))

    def active_staff(self) -> "models.QuerySet[User]":
        """Return the holders of these assignments who are active staff and not suspended."""
        return get_user_model().objects.filter(
            pk__in=self.values("user"), is_active=True, is_staff=True, suspended_at=None
        )

    def tiers(self) -> set[int] | None:
        """Return the keys of the tiers of these assignments; None if one is for all tiers."""
        tiers = set(self.values_list("tier_id", flat=True))
        return None if None in tiers else {tier for tier in tiers if tier is not None}

    def people(self, tier: "Tier", roles: frozenset[Role]) -> "models.QuerySet[User]":
        """Return the active staff with one of these roles for the tier, oldest account first."""
        return self.filter(role__in=roles).for_tier(tier).active_staff().order_by("pk")

    def covers(self, user: "User", roles: frozenset[Role], tier: "Tier") -> bool:
        """True if active staff `user` has one of `roles` for `tier`; superusers need one too."""
        if not is_active_staff(user):
            return False
        return self.held(user, roles).for_tier(tier).exists()

    @transaction.atomic
    def assign(
        self,
        user: "User",
        role: Role,
        tier: "Tier | None" = None,
        *,
        by: "User | None" = None,
        confirmed_by: "User | None" = None,
    ) -> "RoleAssignment":
        """Give `user` a role, its group and access to the admin. Idempotent.

        Pages call `accounts.roles.services.give_role`, which may require a second person. Raises
        RecentAuthenticationRequired if the sign-in is too old.
        """
        recent_authentication.require()
        assignment, created = self.get_or_create(
            user=user,
            role=role,
            tier=tier,
            defaults={"assigned_by": by, "confirmed_by": confirmed_by},
        )
        user.groups.add(Group.objects.get(name=role))
        if not user.is_staff:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
        if created:
            details = {"role": str(role), "tier": tier.slug if tier else None}
            AuditEvent.record(AccountsEvent.ROLE_ASSIGNED, actor=by, target=user, details=details)
        return assignment


class RoleAssignment(models.Model):
    """One role of one person; without a tier it applies to every tier."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=20, choices=Role.choices)
    tier = models.ForeignKey("accounts.Tier", models.CASCADE, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    #: None for a command in the server's shell.
    assigned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    #: The second person who confirmed the assignment, if any.
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )

    objects = RoleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "tier"], name="one_assignment_per_person_role_and_tier"
            ),
            models.UniqueConstraint(
                fields=["user", "role"],
                condition=models.Q(tier=None),
                name="one_assignment_per_person_and_role_for_all_tiers",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.role} of {self.tier or 'all tiers'}"

    @transaction.atomic
    def withdraw(self, *, by: "User | None") -> None:
        """Delete the assignment, and the group and staff status unless another role needs them.

        Raises RecentAuthenticationRequired if the sign-in is too old.
        """
        recent_authentication.require()
        user, role = self.user, self.role
        details = {"role": role, "tier": self.tier.slug if self.tier else None}
        self.delete()
        if not user.roles.filter(role=role).exists():
            user.groups.remove(*user.groups.filter(name=role))
        if not user.roles.exists() and not user.is_superuser:
            user.is_staff = False
            user.save(update_fields=["is_staff"])
        AuditEvent.record(AccountsEvent.ROLE_WITHDRAWN, actor=by, target=user, details=details)
