"""Create, change and retire families of checkpoints, and put them back into use.

A retired family takes no new checkpoints; its checkpoints stay.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit import field_changes
from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from weights.catalogue.models import Family
from weights.event_tags import WeightsEvent
from weights.family_facts import parts

EDITORS = frozenset({Role.RELEASE_OWNER, Role.ADMINISTRATOR})
RETIRERS = frozenset({Role.ADMINISTRATOR})


@transaction.atomic
def save_family(family: Family, *, by: User) -> None:
    """Save a new or changed family.

    Raises NotAllowed unless `by` may edit it, and InvalidValue for facts without their sources.
    """
    if not may_edit(family, by):
        raise NotAllowed("only owners and administrators of all of its tiers may edit a family")
    try:
        parts.validate(family.facts)
    except ValueError as error:
        raise InvalidValue(str(error)) from error
    stored = Family.objects.filter(pk=family.pk).first()
    family.save()
    event = WeightsEvent.FAMILY_MADE
    details: dict[str, Any] = {"slug": family.slug}
    if stored is not None:
        changed = field_changes.changed_fields(stored, family)
        event = WeightsEvent.FAMILY_CHANGED
        details["changes"] = field_changes.changes(stored, family, changed)
    AuditEvent.record(event, actor=by, target=family, details=details)


def retire(family: Family, *, by: User) -> None:
    """Retire a family. Raises NotAllowed, or TransitionRefused if it is retired already."""
    _set_retired(family, timezone.now(), WeightsEvent.FAMILY_RETIRED, by)


def unretire(family: Family, *, by: User) -> None:
    """Put a retired family back into use. Raises as `retire` does."""
    _set_retired(family, None, WeightsEvent.FAMILY_UNRETIRED, by)


def require_active(family: Family) -> None:
    """Raise InvalidValue if the family has been retired."""
    if Family.objects.filter(pk=family.pk, retired_at__isnull=False).exists():
        raise InvalidValue(
            f"the family {family} is retired: it takes no new checkpoints; choose another family,"
            " or ask an administrator to put it back into use"
        )


def may_edit(family: Family | None, user: User, roles: frozenset[Role] = EDITORS) -> bool:
    """True if one of `roles` covers every tier with a checkpoint of the family."""
    if user.is_superuser:
        return True
    if not is_active_staff(user):
        return False
    held = RoleAssignment.objects.held(user, roles).tiers()
    if held is None:
        return True
    if not held or family is None or family.pk is None:
        return bool(held)
    return set(family.checkpoints.values_list("tier_id", flat=True)) <= held


@transaction.atomic
def _set_retired(
    family: Family, retired_at: datetime | None, event: WeightsEvent, by: User
) -> None:
    if not may_edit(family, by, RETIRERS):
        raise NotAllowed("only administrators of all of its tiers may retire a family")
    others = Family.objects.filter(pk=family.pk, retired_at__isnull=retired_at is not None)
    if not others.update(retired_at=retired_at):
        raise TransitionRefused(f"the family is already {'retired' if retired_at else 'in use'}")
    AuditEvent.record(event, actor=by, target=family, details={"slug": family.slug})
