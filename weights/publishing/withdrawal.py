"""Withdraws revisions: their pages remain and show the reason; their files are not served.

The gate reads the state on each request. A blob that another visible revision uses is still
served there.
"""

from django.db import transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.users.models import User
from weights import recalls
from weights.catalogue.models import Checkpoint
from weights.errors import WithdrawalRefused
from weights.event_tags import WeightsEvent
from weights.publishing import refs
from weights.publishing.models import Revision


def withdraw(revision: Revision, reason: str, *, by: User | None, recall: bool = False) -> None:
    """Withdraws a visible, pending or failed revision; this cannot be undone.

    With `recall`, everyone who downloaded one of its files gets an email. `by` is None for a
    command. Raises NotAllowed, InvalidValue, and WithdrawalRefused for a draft or a revision that
    is already withdrawn.
    """
    if by is not None and not RoleAssignment.objects.covers(by, OWNERS, revision.checkpoint.tier):
        raise NotAllowed(f"you are not a release owner of {revision.checkpoint}")
    reason = reasons.checked(reason, reasons.PUBLIC)
    with transaction.atomic():
        # Revisions become visible under the same lock, so none can become visible concurrently.
        Checkpoint.objects.select_for_update().get(pk=revision.checkpoint_id)
        _set_withdrawn(revision, reason)
        refs.move_branches_back(revision)
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


def _set_withdrawn(revision: Revision, reason: str) -> None:
    if revision.state == Revision.State.DRAFT:
        raise WithdrawalRefused(f"{revision} is a draft; discard it instead")
    revisions = Revision.objects.filter(pk=revision.pk).exclude(
        state__in=[Revision.State.WITHDRAWN, Revision.State.DRAFT]
    )
    changed = revisions.update(
        state=Revision.State.WITHDRAWN, state_reason=reason, withdrawn_at=timezone.now()
    )
    if not changed:
        raise WithdrawalRefused(f"{revision} has already been withdrawn")
    revision.refresh_from_db(fields=["state", "state_reason", "withdrawn_at"])
