"""Overrides of refused inspections: one staff member requests one, another grants it.

An override is valid for one blob, one family of names and one refusal; a different refusal needs
a new override. A file that was not read to the end cannot be overridden, because some of its
imports are unknown.
"""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.errors import NotAllowed, TransitionRefused
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.event_tags import WeightsEvent
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity import manual_quarantine, reasons
from weights.storage.models import Blob
from weights.task_names import WeightsTask


@transaction.atomic
def ask(inspection: Inspection, why: str, *, by: User) -> InspectionOverride:
    """Requests an override; raises TransitionRefused if the refusal cannot be overridden."""
    manual_quarantine.demand_owner(inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    current = Inspection.objects.select_for_update().get(pk=inspection.pk)
    if current.outcome != Inspection.Outcome.REFUSED:
        raise TransitionRefused(f"{current}: there is no refusal to override")
    if not current.read_to_end:
        raise TransitionRefused(
            f"{current}; it was not read to its end, so it may import anything and cannot be"
            " overridden; publish the file in a readable format"
        )
    override, created = InspectionOverride.objects.get_or_create(
        inspection=current,
        refusal=current.reason,
        defaults={"asked_by": by, "asked_why": why},
    )
    if not created:
        raise TransitionRefused(f"an override of {current} has already been requested")
    _record(WeightsEvent.INSPECTION_OVERRIDE_ASKED, override, by, why)
    return override


@transaction.atomic
def grant(override: InspectionOverride, why: str, *, by: User) -> None:
    """Grants an override that another person requested; a new check then releases the blob.

    Raises RecentAuthenticationRequired after an old sign-in.
    """
    recent_authentication.require()
    manual_quarantine.demand_owner(override.inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    locked = _lock_pending(override)
    if locked.asked_by_id in {by.pk, None}:
        raise NotAllowed("you cannot grant an override that you requested; another person must")
    locked.granted_by, locked.granted_at, locked.granted_why = by, timezone.now(), why
    locked.save()
    _record(WeightsEvent.INSPECTION_OVERRIDDEN, locked, by, why)
    blob_id = locked.inspection.blob_id
    Blob.objects.filter(pk=blob_id).update(check_due_at=timezone.now(), attempts=0)
    queue_after_commit(WeightsTask.VERIFY_BLOB, blob_id)


@transaction.atomic
def decline(override: InspectionOverride, why: str, *, by: User) -> None:
    """Deletes the request; the override may be requested again."""
    manual_quarantine.demand_owner(override.inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    locked = _lock_pending(override)
    _record(WeightsEvent.INSPECTION_OVERRIDE_DECLINED, locked, by, why)
    locked.delete()


def _lock_pending(override: InspectionOverride) -> InspectionOverride:
    pending = InspectionOverride.objects.select_for_update(of=("self",)).asked()
    found = pending.filter(pk=override.pk).select_related("inspection__blob").first()
    if found is None:
        raise TransitionRefused(f"{override} is not pending: it was already decided or is outdated")
    return found


def _record(action: WeightsEvent, override: InspectionOverride, by: User, why: str) -> None:
    inspection = override.inspection
    details = {
        "sha256": inspection.blob.sha256,
        "family": inspection.family,
        "refusal": override.refusal,
        "reason": why,
    }
    AuditEvent.record(action, actor=by, target=inspection.blob, details=details)
