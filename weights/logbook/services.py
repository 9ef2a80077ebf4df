"""Add, change and delete entries and curves; each change is permission-checked and audited."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.audit import field_changes
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.logbook.models import LogbookEntry, LogbookRecord, LogbookSeries

#: Roles that edit the logbook of their tiers; that of families, if they are for all tiers.
EDITORS = frozenset({Role.RELEASE_OWNER, Role.ADMINISTRATOR})
_AUTHORSHIP = {"created_at", "created_by", "changed_at", "changed_by"}


@dataclass(frozen=True)
class _Events:
    added: WeightsEvent
    changed: WeightsEvent
    deleted: WeightsEvent


_EVENTS: dict[type[LogbookRecord], _Events] = {
    LogbookEntry: _Events(
        WeightsEvent.LOGBOOK_ENTRY_ADDED,
        WeightsEvent.LOGBOOK_ENTRY_CHANGED,
        WeightsEvent.LOGBOOK_ENTRY_DELETED,
    ),
    LogbookSeries: _Events(
        WeightsEvent.LOGBOOK_CURVE_ADDED,
        WeightsEvent.LOGBOOK_CURVE_CHANGED,
        WeightsEvent.LOGBOOK_CURVE_DELETED,
    ),
}


def editable_tiers(user: User) -> set[int] | None:
    """Ids of the tiers whose checkpoints' logbook `user` may edit; None for all tiers."""
    if not is_active_staff(user):
        return set()
    return RoleAssignment.objects.held(user, EDITORS).tiers()


def may_edit(user: User, checkpoint: Checkpoint | None) -> bool:
    """True if `user` may edit the logbook of `checkpoint`; None stands for families."""
    tiers = editable_tiers(user)
    return tiers is None or (checkpoint is not None and checkpoint.tier_id in tiers)


@transaction.atomic
def save(record: LogbookRecord, *, by: User) -> None:
    """Add or change a record; does nothing if no field changed.

    Raises NotAllowed without a role for its old and its new subject, and ValidationError for
    values that pages cannot display.
    """
    stored = _locked(record)
    for version in filter(None, (stored, record)):
        _require_editor(version, by)
    record.full_clean()
    changed = _changed_fields(stored, record) if stored else []
    values = field_changes.changes(stored, record, changed) if stored else {}
    if stored and not changed:
        return
    record.changed_at, record.changed_by = timezone.now(), by
    if stored is None:
        record.created_at, record.created_by = record.changed_at, by
    record.save()
    events = _EVENTS[type(record)]
    action, details = events.added, {}
    if stored:
        action, details = events.changed, {"fields": changed, "changes": values}
    AuditEvent.record(action, actor=by, target=record, details={**details, **_about(record)})


@transaction.atomic
def delete(record: LogbookRecord, *, by: User) -> None:
    """Delete a record, which `loading.load` does not restore. Raises NotAllowed."""
    _require_editor(record, by)
    deleted, _ = type(record)._default_manager.filter(pk=record.pk).delete()
    if deleted:
        action = _EVENTS[type(record)].deleted
        AuditEvent.record(action, actor=by, target=record, details=_about(record))


def _locked(record: LogbookRecord) -> LogbookRecord | None:
    """The stored row, locked until the end of the transaction; None for a new record."""
    if record.pk is None:
        return None
    return type(record)._default_manager.select_for_update().filter(pk=record.pk).first()


def _require_editor(record: LogbookRecord, by: User) -> None:
    if not may_edit(by, record.checkpoint):
        raise NotAllowed(f"you have no role that may edit the logbook of {record.subject}")


def _changed_fields(stored: LogbookRecord, record: LogbookRecord) -> list[str]:
    changed = field_changes.changed_fields(stored, record)
    return [name for name in changed if name not in _AUTHORSHIP]


def _about(record: LogbookRecord) -> dict[str, str]:
    return {"about": str(record.subject)}
