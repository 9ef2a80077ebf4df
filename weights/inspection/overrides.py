"""Let a refused file pass: one staff member asks with a reason, a second one agrees with another.

It holds for these bytes as this family of names and for this very refusal. When the inspector
comes to another refusal the two are asked again. A file that was not read to its end is refused
for good: nobody can see what they would let pass.
"""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.errors import NotAllowed, TransitionRefused
from accounts.users.models import User
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity import quarantine, reasons
from weights.storage.models import Blob


@transaction.atomic
def ask(inspection: Inspection, why: str, *, by: User) -> InspectionOverride:
    """Ask for an override; raises TransitionRefused unless there is a refusal without one."""
    quarantine.demand_owner(inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    standing = Inspection.objects.select_for_update().get(pk=inspection.pk)
    if standing.outcome != Inspection.Outcome.REFUSED:
        raise TransitionRefused(f"{standing}: there is no refusal to override")
    if not standing.read_to_end:
        raise TransitionRefused(
            f"{standing}, but not read to its end: what else it imports is unknown, so nobody can"
            " let it pass; have the file published in a form that can be read"
        )
    asked, made = InspectionOverride.objects.get_or_create(
        inspection=standing,
        refusal=standing.reason,
        defaults={"asked_by": by, "asked_why": why},
    )
    if not made:
        raise TransitionRefused(f"an override of {standing} was asked for already")
    _tell("inspection.override_asked", asked, by, why)
    return asked


@transaction.atomic
def grant(override: InspectionOverride, why: str, *, by: User) -> None:
    """Agree, as somebody else than whoever asked; a fresh check then puts the bytes back."""
    quarantine.demand_owner(override.inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    locked = _open(override)
    if locked.asked_by_id in {by.pk, None}:
        raise NotAllowed("whoever asks for an override cannot grant it; a second person must")
    locked.granted_by, locked.granted_at, locked.granted_why = by, timezone.now(), why
    locked.save()
    _tell("inspection.overridden", locked, by, why)
    blob_id = locked.inspection.blob_id
    Blob.objects.filter(pk=blob_id).update(check_due_at=timezone.now(), attempts=0)
    queue_after_commit("weights.verify_blob", blob_id)


@transaction.atomic
def decline(override: InspectionOverride, why: str, *, by: User) -> None:
    """Do without it; it may be asked for again."""
    quarantine.demand_owner(override.inspection.blob, by)
    why = reasons.checked(why, reasons.INTERNAL)
    locked = _open(override)
    _tell("inspection.override_declined", locked, by, why)
    locked.delete()


def _open(override: InspectionOverride) -> InspectionOverride:
    waiting = InspectionOverride.objects.select_for_update(of=("self",)).asked()
    found = waiting.filter(pk=override.pk).select_related("inspection__blob").first()
    if found is None:
        raise TransitionRefused(f"{override} waits for nobody: it was settled, or is outdated")
    return found


def _tell(action: str, override: InspectionOverride, by: User, why: str) -> None:
    inspection = override.inspection
    details = {
        "sha256": inspection.blob.sha256,
        "family": inspection.family,
        "refusal": override.refusal,
        "reason": why,
    }
    AuditEvent.record(action, actor=by, target=inspection.blob, details=details)
