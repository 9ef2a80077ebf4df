"""Overrides of refused inspections: one release owner requests one, another confirms it.

An override is valid for one blob, one family of names and one refusal; a different refusal needs
a new override. A file that was not read to its end cannot be overridden, because some of its
imports are unknown. With SINGLE_OPERATOR, one release owner may override alone.
"""

from django.db import transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.change_requests import services as change_requests
from accounts.change_requests.models import ChangeRequest
from accounts.errors import TransitionRefused
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.event_tags import WeightsEvent
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity import manual_quarantine
from weights.storage.models import Blob
from weights.task_names import WeightsTask

#: The name of the act in `weights.change_requests.override_inspection`.
ACT = "inspection.override"


@transaction.atomic
def ask(inspection: Inspection, why: str, *, by: User) -> ChangeRequest | InspectionOverride:
    """Opens a request for an override, or overrides at once if no second person is required.

    Raises TransitionRefused if the refusal cannot be overridden, or if an override was already
    requested.
    """
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
    parameters = {"refusal": current.reason}
    if _is_requested(current) or _is_overridden(current):
        raise TransitionRefused(f"an override of {current} has already been requested")
    if not change_requests.is_required(by):
        recent_authentication.require()
        return _override(current, by, why, asked_by=by, asked_why=why)
    tiers = tiers_of(inspection.blob)
    request = change_requests.open_request(ACT, current, parameters, tiers=tiers, by=by, reason=why)
    _record(WeightsEvent.INSPECTION_OVERRIDE_ASKED, current, by, why)
    return request


@transaction.atomic
def grant(request: ChangeRequest, inspection: Inspection) -> None:
    """Applies a confirmed request; a new check then releases the blob.

    Raises TransitionRefused if the refusal has changed since the request.
    """
    recent_authentication.require()
    locked = Inspection.objects.select_for_update().get(pk=inspection.pk)
    if outdated := outdated_reason(request, locked):
        raise TransitionRefused(outdated)
    second = request.decided_by
    assert second is not None
    _override(
        locked,
        second,
        request.outcome,
        asked_by=request.requester,
        asked_at=request.created_at,
        asked_why=request.reason,
        granted_by=second,
        granted_why=request.outcome,
    )


def _override(inspection: Inspection, by: User, why: str, **decision: object) -> InspectionOverride:
    """Stores the override and requests a check, which then releases the blob."""
    override = InspectionOverride.objects.create(
        inspection=inspection,
        refusal=inspection.reason,
        granted_at=timezone.now(),
        **decision,
    )
    _record(WeightsEvent.INSPECTION_OVERRIDDEN, inspection, by, why)
    Blob.objects.filter(pk=inspection.blob_id).update(check_due_at=timezone.now(), attempts=0)
    queue_after_commit(WeightsTask.VERIFY_BLOB, inspection.blob_id)
    return override


def outdated_reason(request: ChangeRequest, inspection: Inspection) -> str:
    """Returns why the request is outdated, or "" if it still applies."""
    if inspection.outcome != Inspection.Outcome.REFUSED:
        return "the request is outdated: the file is no longer refused"
    if inspection.reason != request.parameters["refusal"]:
        return "the request is outdated: the file is now refused for another reason"
    if not inspection.read_to_end:
        return "the request is outdated: the file was not read to its end"
    if _is_overridden(inspection):
        return "this refusal is already overridden"
    concerned = set(request.tiers.values_list("pk", flat=True))
    if {tier.pk for tier in tiers_of(inspection.blob)} - concerned and not request.all_tiers:
        return "the request is outdated: the file is now used in another tier"
    return ""


def tiers_of(blob: Blob) -> list[Tier]:
    """Returns the tiers in which the bytes are used."""
    return list(Tier.objects.filter(checkpoints__revisions__files__blob=blob).distinct())


def _is_requested(inspection: Inspection) -> bool:
    waiting = ChangeRequest.objects.waiting().filter(act=ACT, object_id=str(inspection.pk))
    return waiting.filter(parameters={"refusal": inspection.reason}).exists()


def _is_overridden(inspection: Inspection) -> bool:
    granted = InspectionOverride.objects.granted()
    return granted.filter(inspection=inspection, refusal=inspection.reason).exists()


def _record(action: WeightsEvent, inspection: Inspection, by: User, why: str) -> None:
    details = {
        "sha256": inspection.blob.sha256,
        "family": inspection.family,
        "refusal": inspection.reason,
        "reason": why,
    }
    AuditEvent.record(action, actor=by, target=inspection.blob, details=details)
