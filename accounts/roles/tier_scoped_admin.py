"""Admin pages that show and change the records of one's own tiers alone.

A role may be limited to a tier. What lies outside the tiers of the roles that a page rests on
does not exist there: 404, as for a number that was never given.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import Http404, HttpRequest

from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PERMISSIONS, Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.current_user import signed_in


def carriers(permission: str) -> frozenset[Role]:
    """The roles whose group carries this permission (`app.codename`)."""
    return frozenset(Role(role) for role, names in PERMISSIONS.items() if permission in names)


def own_tiers(person: User, permission: str) -> list[int] | None:
    """The tiers for which a person has this permission by a role; None for all of them."""
    if person.is_superuser:
        return None
    held = RoleAssignment.objects.held(person, carriers(permission))
    tiers = list(held.values_list("tier_id", flat=True))
    return None if None in tiers else [tier for tier in tiers if tier is not None]


def covers(person: User, permission: str, tier: Tier | None) -> bool:
    """Whether the person has it for this tier; for None, for every tier there is."""
    tiers = own_tiers(person, permission)
    return tiers is None or (tier is not None and tier.pk in tiers)


def may_hold_for(person: User, other: User) -> bool:
    """Whether all that the other may do lies within what the person could assign.

    Who sets somebody's password or address can act as they; so superusers alone do so for
    superusers, and others for accounts whose roles and grants are of their own tiers.
    """
    if person.is_superuser:
        return True
    if other.is_superuser:
        return False
    tiers = own_tiers(person, "accounts.add_roleassignment")
    if tiers is None:
        return True
    held = {one.tier_id for one in other.roles.all()}
    held |= set(Grant.objects.unended().filter(user=other).values_list("tier_id", flat=True))
    return held <= set(tiers)


class OfOwnTiers(admin.ModelAdmin):
    #: The way from the record to its tier.
    tier_field = "tier"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found = super().get_queryset(request)
        tiers = own_tiers(signed_in(request), self._named("view"))
        return found if tiers is None else found.filter(**{f"{self.tier_field}__in": tiers})

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404("there is no such record among those of your tiers")
        return found

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and self._may(request, "add", None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or self._may(request, "change", self._tier_of(obj)))

    def _may(self, request: HttpRequest, verb: str, tier: Tier | None) -> bool:
        return covers(signed_in(request), self._named(verb), tier)

    def _named(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    def _tier_of(self, record: Any) -> Tier | None:
        for name in self.tier_field.split("__"):
            record = record if name == "pk" else getattr(record, name)
        tier: Tier | None = record
        return tier


class OfAllTiers(admin.ModelAdmin):
    """Records that name no tier: shown to those whose role is for every one."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        allowed: bool = super().has_view_permission(request, obj)
        needed = f"{self.opts.app_label}.view_{self.opts.model_name}"
        return allowed and covers(signed_in(request), needed, None)
