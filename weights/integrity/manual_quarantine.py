"""Quarantine by a release owner. Only a new check that an owner requests lifts it."""

from django.db import transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights import recalls
from weights.event_tags import WeightsEvent
from weights.integrity.verification import fail_revisions
from weights.storage.models import Blob
from weights.task_names import WeightsTask


@transaction.atomic
def hold(blob: Blob, reason: str, *, by: User, recall: bool = False) -> None:
    """Quarantine a blob until an owner lifts it; with `recall`, email everyone who downloaded it.

    Routine checks do not lift it: the bytes may match their SHA-256 and still be wrong. Raises
    NotAllowed, InvalidValue and TransitionRefused.
    """
    demand_owner(blob, by)
    reason = reasons.checked(reason, reasons.PUBLIC)
    locked = Blob.objects.select_for_update().get(pk=blob.pk)
    if locked.held:
        raise TransitionRefused(f"{blob} is already in quarantine")
    # A running check loses its lease, so its result does not count.
    locked.transition(
        "hold",
        actor=by,
        details={"reason": reason, "by_hand": True},
        held=True,
        quarantine_reason=reason,
        leased_until=None,
        check_due_at=None,
    )
    fail_revisions(locked, reason)
    if recall:
        recalls.open_by_owner(locked, reason, by=by)


@transaction.atomic
def lift(blob: Blob, *, by: User) -> None:
    """Request a new check, which lifts the quarantine if the bytes are good.

    Raises NotAllowed, TransitionRefused, and RecentAuthenticationRequired after an old sign-in.
    """
    recent_authentication.require()
    demand_owner(blob, by)
    quarantined = Blob.objects.filter(pk=blob.pk, state=Blob.State.QUARANTINED)
    if not quarantined.update(held=False, check_due_at=timezone.now(), attempts=0):
        raise TransitionRefused(f"{blob} is not in quarantine")
    AuditEvent.record(WeightsEvent.BLOB_LIFT_ASKED, actor=by, target=blob)
    queue_after_commit(WeightsTask.VERIFY_BLOB, blob.pk)


def may_lift(blob: Blob, person: User) -> bool:
    """True if the blob is in quarantine and `person` may request the check that lifts it."""
    return blob.state == Blob.State.QUARANTINED and _foreign_tier(blob, person) is None


def demand_owner(blob: Blob, by: User) -> None:
    """Raise NotAllowed unless `by` is a release owner of every tier that uses the bytes."""
    if (tier := _foreign_tier(blob, by)) is not None:
        raise NotAllowed(f"{blob} is used in the tier {tier}, and you are not its release owner")


def _foreign_tier(blob: Blob, person: User) -> Tier | None:
    """Return a tier that uses the bytes and that `person` is not a release owner of."""
    tiers = Tier.objects.filter(checkpoints__revisions__files__blob=blob).distinct()
    covers = RoleAssignment.objects.covers
    return next((tier for tier in tiers if not covers(person, OWNERS, tier)), None)
