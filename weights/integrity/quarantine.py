"""Take bytes out of every door by hand, and let a fresh check put them back."""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.queueing import queue_after_commit
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from weights import recalls
from weights.integrity import reasons
from weights.integrity.verification import fail_revisions
from weights.storage.models import Blob

OWNERS = frozenset({Role.RELEASE_OWNER})


@transaction.atomic
def hold(blob: Blob, reason: str, *, by: User, recall: bool = False) -> None:
    """Quarantine a blob until somebody lifts it; with `recall`, mail everybody who fetched it.

    No check of its bytes lifts it by itself: they may be just what their name says and still
    be wrong. Raises NotAllowed, InvalidValue and TransitionRefused.
    """
    demand_owner(blob, by)
    reason = reasons.stated(reason, reasons.PUBLIC)
    locked = Blob.objects.select_for_update().get(pk=blob.pk)
    if locked.held:
        raise TransitionRefused(f"{blob} is held in quarantine already")
    locked.state, locked.held, locked.quarantine_reason = Blob.State.QUARANTINED, True, reason
    # A check that runs loses its lease, and so its word.
    locked.leased_until = locked.check_due_at = None
    locked.save()
    details = {"sha256": locked.sha256, "reason": reason, "by_hand": True}
    AuditEvent.record("blob.quarantined", actor=by, target=locked, details=details)
    fail_revisions(locked, reason)
    if recall:
        recalls.open_by_owner(locked, reason, by=by)


@transaction.atomic
def lift(blob: Blob, *, by: User) -> None:
    """Ask for a fresh check, which puts the bytes back if it finds them whole, and only then."""
    demand_owner(blob, by)
    quarantined = Blob.objects.filter(pk=blob.pk, state=Blob.State.QUARANTINED)
    if not quarantined.update(held=False, check_due_at=timezone.now(), attempts=0):
        raise TransitionRefused(f"{blob} is not in quarantine")
    AuditEvent.record("blob.lift_asked", actor=by, target=blob)
    queue_after_commit("weights.verify_blob", blob.pk)


def demand_owner(blob: Blob, by: User) -> None:
    """It takes a release owner of every tier where the bytes are used."""
    for tier in Tier.objects.filter(checkpoints__revisions__files__blob=blob).distinct():
        if not RoleAssignment.objects.covers(by, OWNERS, tier):
            raise NotAllowed(f"{blob} is used in the tier {tier}, whose release owner you are not")
