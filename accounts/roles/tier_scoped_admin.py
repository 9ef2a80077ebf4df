"""Admin pages limited to the tiers of the user's roles.

A role may be limited to a tier. Records of other tiers return 404, like unknown keys.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from accounts.roles.models import RoleAssignment, in_tiers
from accounts.roles.permissions import PERMISSIONS, Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.current_user import signed_in


def permitted_tiers(person: User, permission: str) -> set[int] | None:
    """Return keys of the tiers for which roles give `permission` (`app.codename`); None for all."""
    if person.is_superuser:
        return None
    roles = frozenset(Role(role) for role, names in PERMISSIONS.items() if permission in names)
    return RoleAssignment.objects.held(person, roles).tiers()


def has_permission_for(person: User, permission: str, tier: Tier | None) -> bool:
    """True if roles give `permission` for `tier`; None means all tiers."""
    tiers = permitted_tiers(person, permission)
    return tiers is None or (tier is not None and tier.pk in tiers)


def tiers_of(person: User) -> set[int] | None:
    """Return the keys of the tiers for which a person has any role; None for all tiers."""
    if person.is_superuser:
        return None
    return RoleAssignment.objects.filter(user=person).tiers()


class TierFilteredAdmin(admin.ModelAdmin):
    """Shows only records of the tiers for which the user may view them."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        records: QuerySet[Any] = super().get_queryset(request)
        tiers = permitted_tiers(signed_in(request), self._permission("view"))
        return records if tiers is None else self.of_tiers(records, tiers)

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        """Return the `records` that belong to `tiers`."""
        raise NotImplementedError

    def _permission(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"


class TierScopedAdmin(TierFilteredAdmin):
    """Shows and changes only records of the tiers for which the user has the permission."""

    #: The lookup from the record to its tier.
    tier_field = "tier"

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        return in_tiers(records, tiers, self.tier_field)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        record = super().get_object(request, object_id, from_field)
        if record is None:
            raise Http404("there is no such record among those of your tiers")
        return record

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or self._may(request, "change", self._tier_of(obj)))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_delete_permission(request, obj)
        return allowed and (obj is None or self._may(request, "delete", self._tier_of(obj)))

    def _may(self, request: HttpRequest, verb: str, tier: Tier | None) -> bool:
        return has_permission_for(signed_in(request), self._permission(verb), tier)

    def _tier_of(self, record: Any) -> Tier | None:
        for name in self.tier_field.split("__"):
            record = record if name == "pk" else getattr(record, name)
        tier: Tier | None = record
        return tier


class AllTiersAdmin(admin.ModelAdmin):
    """Shows records without a tier only to users whose role is for all tiers."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_view_permission(request, obj)
        permission = f"{self.opts.app_label}.view_{self.opts.model_name}"
        return allowed and has_permission_for(signed_in(request), permission, None)
