"""Take a revision back: its names stay and say why, its bytes leave every door.

The gate reads the state at each request, so the next one is refused. A blob that another
visible revision uses is served there as before.
"""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from weights import recalls
from weights.catalogue.models import Checkpoint
from weights.errors import WithdrawalRefused
from weights.event_tags import WeightsEvent
from weights.integrity import reasons
from weights.publishing import refs
from weights.publishing.models import Revision

OWNERS = frozenset({Role.RELEASE_OWNER})


def withdraw(revision: Revision, reason: str, *, by: User | None, recall: bool = False) -> None:
    """Withdraw a revision for good, also one that is still being verified.

    With `recall` everybody who fetched a file of it is told by mail.

    `by` is None for a command. Raises NotAllowed, InvalidValue, and WithdrawalRefused for one
    that is withdrawn already.
    """
    if by is not None and not RoleAssignment.objects.covers(by, OWNERS, revision.checkpoint.tier):
        raise NotAllowed(f"you are no release owner of {revision.checkpoint}")
    reason = reasons.checked(reason, reasons.PUBLIC)
    with transaction.atomic():
        # The lock under which revisions become visible: none does so while this one goes.
        Checkpoint.objects.select_for_update().get(pk=revision.checkpoint_id)
        _become_withdrawn(revision, reason)
        refs.fall_back(revision)
        Checkpoint.objects.filter(pk=revision.checkpoint_id).update(updated_at=timezone.now())
        AuditEvent.record(
            WeightsEvent.REVISION_WITHDRAWN,
            actor=by,
            target=revision,
            credential=("", "") if by else ("command", ""),
            details={
                "checkpoint": revision.checkpoint.repo_id,
                "sha": revision.sha,
                "reason": reason,
            },
        )
        if recall:
            recalls.open_by_withdrawal(revision, reason, by=by)


def _become_withdrawn(revision: Revision, reason: str) -> None:
    standing = Revision.objects.filter(pk=revision.pk).exclude(state=Revision.State.WITHDRAWN)
    changed = standing.update(
        state=Revision.State.WITHDRAWN, state_reason=reason, withdrawn_at=timezone.now()
    )
    if not changed:
        raise WithdrawalRefused(f"{revision} was withdrawn already")
    revision.refresh_from_db(fields=["state", "state_reason", "withdrawn_at"])
