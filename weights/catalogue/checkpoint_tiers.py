"""Saves a checkpoint. A change that gives more people access, or earlier, needs a second person.

A change of tier is recorded in the public history of both tiers.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from accounts.audit import field_changes
from accounts.audit.models import AuditEvent
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import TransitionRefused
from accounts.grants.models import Grant
from accounts.roles.models import RoleAssignment
from accounts.tiers import services, strictness
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.catalogue import licences
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.families import services as families
from weights.integrity import verification
from weights.publishing.models import Revision

#: The name of the act in `weights.change_requests.open_checkpoint`.
OPEN = "checkpoint.open"
#: Fields whose change can widen access -> their names in messages.
FIELD_LABELS = {"tier": "the tier", "private": "the privacy", "embargo_until": "the embargo"}


def record_new_checkpoint(
    checkpoint: Checkpoint, *, by: User | None, role: str = services.COMMAND
) -> None:
    """Records a new checkpoint in its tier's history; call in the transaction that creates it.

    `role` is recorded publicly if `by` is None.
    """
    services.record_checkpoint(
        checkpoint.repo_id,
        before=None,
        after=checkpoint.tier,
        by=by,
        hidden=checkpoint.is_hidden,
        role=role,
    )


@transaction.atomic
def save_checkpoint(
    checkpoint: Checkpoint, *, by: User | None, reason: str = ""
) -> ChangeRequest | None:
    """Saves an existing checkpoint; returns the change request for fields that widen access.

    Those fields keep their stored values until a second person confirms; the instance is updated to
    what was saved. `reason` explains the request or, if one person may decide alone, goes to the
    audit trail; InvalidValue unless it has 5 to 500 characters. If the checkpoint becomes hidden,
    its name is removed from earlier history entries. A move to a tier that accepts only inspected
    formats queues files without a current inspection; published files stay published. Raises
    RecentAuthenticationRequired after an old sign-in, PublishRefused if a gated tier's licence is
    not the card's, TierRetired for a retired tier, InvalidValue for a retired family.
    """
    recent_authentication.require()
    stored = _locked(checkpoint)
    if stored.tier_id != checkpoint.tier_id:
        checkpoint.tier.require_active()
    if checkpoint.family and stored.family_id != checkpoint.family_id:
        families.require_active(checkpoint.family)
    opened = opened_fields(stored, checkpoint)
    waiting = None
    if not opened or by is None:
        reason = ""
    elif change_requests.is_required(by):
        waiting = _hold_back(checkpoint, stored, opened, by, reason)
        reason = ""
    else:
        reason = change_requests.check_reason(reason)
    _store(checkpoint, stored, by, reason)
    return waiting


@transaction.atomic
def open_checkpoint(checkpoint: Checkpoint, values: dict[str, Any], *, by: User) -> None:
    """Applies a confirmed request: `values` holds the old and new value of each field.

    Raises TransitionRefused if a value has changed since the request.
    """
    stored = _locked(checkpoint)
    current = Checkpoint.objects.select_related("tier").get(pk=checkpoint.pk)
    if changed := changed_since(current, values):
        raise TransitionRefused(changed)
    for name, (_, after) in values.items():
        _set(current, name, after)
    _store(current, stored, by)


def check_licence(checkpoint: Checkpoint, tier: Tier) -> None:
    """Raises PublishRefused if the card of `main` contradicts the licence of a gated tier."""
    if not tier.is_gated:
        return
    main = Revision.objects.filter(checkpoint=checkpoint, refs__name="main").first()
    licences.check(tier, main.licence if main else {})


def opened_fields(before: Checkpoint, after: Checkpoint) -> list[str]:
    """Returns the fields whose change gives more people access, or earlier access."""
    opened = []
    if before.tier_id != after.tier_id and move_opens(before.tier, after.tier):
        opened.append("tier")
    if before.private and not after.private:
        opened.append("private")
    if _ends_earlier(before.embargo_until, after.embargo_until):
        opened.append("embargo_until")
    return opened


def move_opens(before: Tier, after: Tier) -> bool:
    """Returns whether a move between tiers gives anybody new access to the bytes.

    A move to a stricter access mode never does, since everyone could already get access before. A
    move to a tier with more approvals can, since others may already hold grants there.
    """
    if strictness.lowered_fields(before, after):
        return True
    if strictness.is_raised(before.mode, after.mode):
        return False
    is_stricter = bool(strictness.lowered_fields(after, before))
    has_laxer_terms = not is_stricter and bool(strictness.opened_fields(before, after))
    return has_laxer_terms or _has_other_people(before, after)


def _has_other_people(before: Tier, after: Tier) -> bool:
    """True if somebody has a grant or role for `after` that they lack for `before`."""
    holders = Grant.objects.unended().filter(tier=after)
    current = Grant.objects.live().filter(tier=before)
    if holders.exclude(user__in=current.values("user")).exists():
        return True
    same = RoleAssignment.objects.for_tier(before).filter(
        user=OuterRef("user"), role=OuterRef("role")
    )
    return RoleAssignment.objects.filter(~Exists(same), tier=after).exists()


def changed_since(checkpoint: Checkpoint, values: dict[str, Any]) -> str:
    """Returns a message about a field that no longer has its old value, or ""."""
    for name, (before, _) in values.items():
        if _value(checkpoint, name) != before:
            return f"{FIELD_LABELS[name]} of {checkpoint} has changed since the request"
    return ""


def _locked(checkpoint: Checkpoint) -> Checkpoint:
    return Checkpoint.objects.locked().select_related("tier").get(pk=checkpoint.pk)


def _hold_back(
    checkpoint: Checkpoint, stored: Checkpoint, opened: list[str], by: User, reason: str
) -> ChangeRequest:
    """Resets the fields that widen access, and opens a change request for them."""
    if "tier" in opened:
        check_licence(checkpoint, checkpoint.tier)
    values = {name: [_value(stored, name), _value(checkpoint, name)] for name in opened}
    tiers = {checkpoint.tier}
    for name in opened:
        setattr(checkpoint, name, getattr(stored, name))
    tiers.add(checkpoint.tier)
    return change_requests.open_request(OPEN, checkpoint, values, tiers=tiers, by=by, reason=reason)


def _store(checkpoint: Checkpoint, stored: Checkpoint, by: User | None, reason: str = "") -> None:
    """Saves the checkpoint and records its changes, including a move to another tier."""
    changed = field_changes.changed_fields(stored, checkpoint)
    values = field_changes.changes(stored, checkpoint, changed)
    checkpoint.save()
    has_moved = stored.tier_id != checkpoint.tier_id
    if changed:
        event = WeightsEvent.CHECKPOINT_CHANGED
        details: dict[str, Any] = {"fields": changed, "changes": values}
        if reason:
            details["reason"] = reason
        if has_moved:
            event = WeightsEvent.CHECKPOINT_MOVED
            details |= {"from": stored.tier.slug, "to": checkpoint.tier.slug}
        AuditEvent.record(event, actor=by, target=checkpoint, details=details)
    if checkpoint.is_hidden:
        services.hide_checkpoint(checkpoint.repo_id)
    if has_moved:
        check_licence(checkpoint, checkpoint.tier)
        hidden = checkpoint.is_hidden or stored.is_hidden
        services.record_checkpoint(
            checkpoint.repo_id, before=stored.tier, after=checkpoint.tier, by=by, hidden=hidden
        )
        verification.inspect_strictly(Checkpoint.objects.filter(pk=checkpoint.pk))


def _ends_earlier(before: datetime | None, after: datetime | None) -> bool:
    """True if a current embargo would end early."""
    if before is None or before <= timezone.now():
        return False
    return after is None or after < before


def _value(checkpoint: Checkpoint, name: str) -> Any:
    """The field's value as JSON."""
    if name == "tier":
        return checkpoint.tier_id
    value = getattr(checkpoint, name)
    return value.isoformat() if isinstance(value, datetime) else value


def _set(checkpoint: Checkpoint, name: str, value: Any) -> None:
    """Sets the field from its value as JSON."""
    if name == "tier":
        checkpoint.tier = Tier.objects.get(pk=value)
    elif name == "embargo_until":
        checkpoint.embargo_until = datetime.fromisoformat(value) if value else None
    else:
        setattr(checkpoint, name, value)
