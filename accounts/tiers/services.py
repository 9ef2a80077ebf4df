"""Changes a tier: saves it, audits it and records it in the public history.

Changes that open its gate further wait for a second person; all others are saved at once.
"""

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.change_requests import messages
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers import strictness
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from accounts.users import recent_authentication
from accounts.users.models import User

#: Field of a tier -> its public label, in the order of display.
LABELS = {
    "name": "Name",
    "description": "Description",
    "mode": "Access",
    "licence": "Licence",
    "duo_codes": "Terms of use",
    "approvals_needed": "Approvals needed",
    "reapply_days": "Days to wait after a rejection",
    "term_days": "Days a grant lasts",
    "file_link_minutes": "Lifetime of a file link in minutes",
    "checkpoint_link_hours": "Lifetime of a checkpoint link in hours",
    "blocked_countries": "Countries excluded",
    "inspected_only": "Formats",
    "publishes_commits": "Commits",
    "position": "Place in lists",
}
#: The public roles for changes by migrations and shipped entries, and by commands.
SET_UP, COMMAND = "The portal's set-up", "A command"
_PUBLIC_ROLES = [
    *(Role.RELEASE_OWNER, Role.ADMINISTRATOR, Role.LEAD_REVIEWER),
    *(Role.REVIEWER, Role.AUDITOR),
]
#: The name of the act in `accounts.tiers.lowering_act`.
LOWER = "tier.lower"
#: Terms that only a gated tier has.
_ONLY_GATED = ("licence", "duo_codes")


@dataclass(frozen=True)
class SavedTier:
    """The row of the history, None if nothing changed; and the waiting request, if any."""

    change: TierChange | None
    waiting: ChangeRequest | None = None


@transaction.atomic
def save_tier(tier: Tier, *, by: User | None, reason: str = "") -> SavedTier:
    """Save a new or changed tier; changes that open its gate further wait for a second person.

    `reason` is for that request, or for the audit trail where one person decides alone. The
    instance is set to what was saved. Creating an open tier opens nothing: it has no checkpoints
    yet, and moving one there waits too. Raises InvalidValue unless a required reason has 5 to 500
    characters, RecentAuthenticationRequired if the sign-in is too old, NotAllowed unless `by`
    administers the tier that is created or moved in the order.
    """
    recent_authentication.require()
    before = _locked(tier)
    if by is not None and (before is None or before.position != tier.position):
        require_administrator(by, before)
    lowered = strictness.opened_fields(before, tier) if before else []
    waiting = None
    if not before or not lowered or by is None:
        reason = ""
    elif change_requests.is_required(by):
        waiting = _hold_back(tier, before, lowered, by, reason)
        lowered, reason = [], ""
    else:
        reason = change_requests.check_reason(reason)
    change = _store(tier, before, by, reason)
    if lowered and by is None:
        event = AuditEvent.objects.about(tier).last()
        assert event is not None
        messages.done_in_shell(event, f"it lowered the gate of {tier}", tier)
    return SavedTier(change, waiting)


@transaction.atomic
def lower(tier: Tier, values: dict[str, Any], *, by: User) -> None:
    """Apply a confirmed request: `values` has the former and the new value of each field.

    Raises TransitionRefused if a value has changed since the request.
    """
    before = _locked(tier)
    current = Tier.objects.select_related("licence").get(pk=tier.pk)
    if changed := changed_since(current, values):
        raise TransitionRefused(changed)
    for name, (_, after) in values.items():
        _set(current, name, after)
    _store(current, before, by)


def changed_since(tier: Tier, values: dict[str, Any]) -> str:
    """Return a sentence that names a field without its former value; empty if there is none."""
    for name, (before, _) in values.items():
        if _value(tier, name) != before:
            return f"{LABELS[name]} of {tier} is {public_terms(tier)[name]} by now"
    return ""


def with_value(tier: Tier, name: str, value: Any) -> Tier:
    """Return an unsaved copy of the stored tier with one field set to a request's value."""
    copy = Tier.objects.select_related("licence").get(pk=tier.pk)
    _set(copy, name, value)
    return copy


def _value(tier: Tier, name: str) -> Any:
    """Return the field's value as JSON."""
    if name == "blocked_countries":
        return sorted(tier.excluded_countries)
    return tier.licence_id if name == "licence" else getattr(tier, name)


def _set(tier: Tier, name: str, value: Any) -> None:
    """Set the field from its value as JSON."""
    setattr(tier, "licence_id" if name == "licence" else name, value)


def _locked(tier: Tier) -> Tier | None:
    """Return the stored tier, locked; None for a new one."""
    return Tier.objects.select_for_update().filter(pk=tier.pk).first() if tier.pk else None


def _hold_back(
    tier: Tier, before: Tier, lowered: list[str], by: User, reason: str
) -> ChangeRequest:
    """Reset the opened fields and open the request for them.

    If the tier becomes open, the same request removes its licence and terms of use.
    """
    held = [*lowered, *(_ONLY_GATED if not tier.is_gated else ())]
    values = {}
    for name in held:
        values[name] = [_value(before, name), _value(tier, name)]
        _set(tier, name, values[name][0])
    changed = {name: pair for name, pair in values.items() if pair[0] != pair[1]}
    return change_requests.open_request(
        LOWER, before, changed, tiers=[before], by=by, reason=reason
    )


def _store(tier: Tier, before: Tier | None, by: User | None, reason: str = "") -> TierChange | None:
    """Save the tier and record its changed terms. Returns the row of the history, if any."""
    if before is not None and before.licence_id != tier.licence_id:
        tier.licence_since = timezone.now()
        if tier.licence is not None:
            _announce_again(tier.licence)
    tier.save()
    saved = Tier.objects.select_related("licence").get(pk=tier.pk)
    old, new = public_terms(before) if before else {}, public_terms(saved)
    fields = [
        {"field": field, "label": label, "before": old.get(field, ""), "after": new[field]}
        for field, label in LABELS.items()
        if new[field] != old.get(field, "")
    ]
    if not fields:
        return None
    kind = TierChange.Kind.CHANGED if before else TierChange.Kind.MADE
    action = AccountsEvent.TIER_CHANGED if before else AccountsEvent.TIER_MADE
    details = {"fields": fields} | ({"reason": reason} if reason else {})
    AuditEvent.record(action, actor=by, target=saved, details=details)
    return record_change(saved, kind, by, fields=fields)


@transaction.atomic
def record_licence_version(version: LicenceVersion, *, by: User | None) -> None:
    """Record a new version of a licence in the history of every tier that uses it.

    Raises RecentAuthenticationRequired if the sign-in is too old; call it in the transaction that
    saves the version.
    """
    recent_authentication.require()
    details = {"version": version.version, "sha256": version.text_sha256}
    AuditEvent.record(AccountsEvent.LICENCE_VERSION_MADE, actor=by, target=version, details=details)
    notice = "urgent" if version.is_urgent else f"{version.notice_days} days of notice"
    text = f"version {version.version} from {version.effective_at:%Y-%m-%d}, {notice}"
    fields = [{"field": "licence", "label": "Licence text", "before": "", "after": text}]
    for tier in version.licence.tiers.all():
        record_change(tier, TierChange.Kind.TEXT, by, fields=fields)


@transaction.atomic
def record_questions(tier: Tier, keys: list[str], *, by: User | None) -> None:
    """Record changed questions of a tier; the history lists all current ones."""
    AuditEvent.record(
        AccountsEvent.TIER_QUESTIONS_CHANGED, actor=by, target=tier, details={"keys": keys}
    )
    labels = "; ".join(tier.questions.filter(is_asked=True).values_list("label", flat=True))
    fields = [{"field": "questions", "label": "Custom questions", "before": "", "after": labels}]
    record_change(tier, TierChange.Kind.QUESTIONS, by, fields=fields)


@transaction.atomic
def record_checkpoint(
    repo_id: str,
    *,
    before: Tier | None,
    after: Tier,
    by: User | None,
    hidden: bool,
    role: str = COMMAND,
) -> None:
    """Record in the histories of both tiers that a checkpoint was added to one.

    `role` is the public author if `by` is None.

    Raises TierRetired if the new tier is retired; call it in the transaction that adds the
    checkpoint.
    """
    after.require_active()
    if before is not None:
        fields = [_tier_field("Now in", after)]
        kind = TierChange.Kind.CHECKPOINT_OUT
        values = {"checkpoint": repo_id, "hidden": hidden, "fields": fields}
        record_change(before, kind, by, role=role, **values)
    fields = [_tier_field("Previous tier", before)] if before else []
    values = {"checkpoint": repo_id, "hidden": hidden, "fields": fields}
    record_change(after, TierChange.Kind.CHECKPOINT_IN, by, role=role, **values)


def hide_checkpoint(repo_id: str) -> None:
    """Remove a checkpoint from the public histories once it is hidden."""
    TierChange.objects.filter(checkpoint=repo_id, hidden=False).update(hidden=True)


def public_terms(tier: Tier) -> dict[str, str]:
    """Return the tier's terms as public texts, by field."""
    return {
        "name": tier.name,
        "description": tier.description,
        "mode": str(AccessMode(tier.mode).label),
        "licence": tier.licence.title if tier.licence else "",
        "duo_codes": ", ".join(f"{term.code} {term.label}" for term in tier.use_terms),
        "approvals_needed": str(tier.approvals_needed),
        "reapply_days": str(tier.reapply_days),
        "term_days": str(tier.term_days),
        "file_link_minutes": str(tier.file_link_minutes),
        "checkpoint_link_hours": str(tier.checkpoint_link_hours),
        "blocked_countries": ", ".join(tier.excluded_countries.values()),
        "inspected_only": "only inspected formats" if tier.inspected_only else "all",
        "publishes_commits": "published at once" if tier.publishes_commits else "drafts first",
        "position": str(tier.position),
    }


def require_administrator(by: User, tier: Tier | None) -> None:
    """Raise NotAllowed unless `by` administers the tier, or every tier if `tier` is None."""
    held = RoleAssignment.objects.held(by, frozenset({Role.ADMINISTRATOR}))
    held = held.for_tier(tier) if tier else held.filter(tier=None)
    if not (by.is_superuser or (is_active_staff(by) and held.exists())):
        raise NotAllowed("only administrators create, order and retire tiers")


def _announce_again(licence: Licence) -> None:
    """Reset the announcement of the text in force, so that this tier's holders are mailed too."""
    text = licence.in_force()
    if text is not None:
        LicenceVersion.objects.filter(pk=text.pk).update(announced_at=None, reminded_at=None)


def _tier_field(label: str, tier: Tier) -> dict[str, str]:
    return {"field": "tier", "label": label, "before": "", "after": tier.slug}


def record_change(
    tier: Tier, kind: str, by: User | None, *, role: str = SET_UP, **values: Any
) -> TierChange:
    """Add a row to the public history, with the role of `by` for the tier, or `role` without it."""
    role = _public_role(by, tier) if by is not None else role
    return TierChange.objects.create(tier=tier, kind=kind, by=by, by_role=role, **values)


def _public_role(person: User, tier: Tier) -> str:
    """Return the role that the public history shows; people's names are never public."""
    covers = RoleAssignment.objects.covers
    for role in _PUBLIC_ROLES:
        if covers(person, frozenset({role}), tier):
            return str(role.label)
    return "Staff"
