"""Scope of staff in the admin: the accounts that they may see and change, by tier.

An account belongs to the tiers of its roles, grants and applications, including ended ones.
"""

from django.db.models import Q, QuerySet

from accounts.applications.models import Application
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.roles.tier_scoped_admin import permitted_tiers
from accounts.users.models import User

#: Every model that relates an account to a tier -> its field with the account.
_RELATIONS = {RoleAssignment: "user", Grant: "user", Application: "applicant"}


def visible_accounts(person: User, permission: str) -> QuerySet[User]:
    """Return the accounts of the tiers for which roles give `permission`, and the person's own.

    People who assign roles also see accounts without a tier, to which they give a first role.
    """
    tiers = permitted_tiers(person, permission)
    if tiers is None:
        return User.objects.all()
    visible = _related(Q(tier__in=tiers)) | Q(pk=person.pk)
    if permitted_tiers(person, "accounts.add_roleassignment"):
        visible |= ~_related(Q()) & Q(is_superuser=False, erased_at=None)
    return User.objects.filter(visible)


def accounts_within(person: User, permission: str) -> QuerySet[User]:
    """Return the accounts that are related only to tiers for which roles give `permission`."""
    tiers = permitted_tiers(person, permission)
    if tiers is None:
        return User.objects.all()
    own = Q(tier__in=tiers)
    others = ~own | Q(tier=None)  # a role for all tiers counts for others too
    return User.objects.filter(_related(own) & ~_related(others), is_superuser=False)


def may_administer(person: User, other: User) -> bool:
    """True if `person` may assign roles for every tier of `other`, which has at least one.

    Staff who can set an account's password can act as it. Only superusers administer superusers;
    administrators of all tiers also administer accounts without a tier.
    """
    if other.is_superuser:
        return person.is_superuser
    within = accounts_within(person, "accounts.add_roleassignment")
    return within.filter(pk=other.pk).exists()


def _related(condition: Q) -> Q:
    """Return the condition for accounts with a record that meets `condition`."""
    related = Q()
    for model, field in _RELATIONS.items():
        related |= Q(pk__in=model._default_manager.filter(condition).values(field))
    return related
