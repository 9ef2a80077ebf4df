"""Create, rename and delete checkpoints on behalf of their owners."""

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.tiers import strictness
from accounts.tiers.models import Tier
from accounts.users import recent_authentication
from accounts.users.models import User
from weights.catalogue import checkpoint_tiers, names
from weights.catalogue.models import Checkpoint
from weights.errors import NameTaken
from weights.event_tags import WeightsEvent
from weights.publishing import recording, withdrawal
from weights.publishing.drafts import discarding, owners
from weights.publishing.models import Revision

FIRST_MESSAGE = "Create the checkpoint"
_RESERVED = [settings.ADMIN_PATH.partition("/")[0]]
_DRAFT = Revision.State.DRAFT
_NO_TIER = "only release owners create checkpoints, and you are not one of any active tier"
DELETED = "Its owner deleted the checkpoint."


def create_draft(
    org: str, name: str, *, by: User, tier: Tier | None = None
) -> tuple[Checkpoint, bool]:
    """Return the checkpoint of this name that `by` owns, and True if it is new.

    A new checkpoint is private and has an empty draft on `main`. Its tier is `tier`, by default the
    strictest tier that `by` owns. Raises InvalidName, NameTaken if somebody else has the name or it
    differs only in case, NotAllowed without the role for the tier, TierRetired.
    """
    names.split_repo_id(f"{org}/{name}", also_reserved=_RESERVED)
    if not owners.tiers_of(by):  # checked first, so that outsiders do not learn which names exist
        raise NotAllowed(_NO_TIER)
    if (found := _existing(org, name, by)) is not None:
        return found, False
    tier = tier or _strictest_tier(by)
    if not RoleAssignment.objects.covers(by, OWNERS, tier):
        raise NotAllowed(f"you are not a release owner of the tier {tier}")
    try:
        return _create(org, name, by, tier), True
    except IntegrityError:  # another request was faster
        found = _existing(org, name, by)
        if found is None:
            raise
        return found, False


@transaction.atomic
def delete(checkpoint: Checkpoint, *, by: User) -> None:
    """Delete a draft checkpoint, or withdraw all revisions of a published one.

    Raises NotAllowed without the role, RecentAuthenticationRequired after an old sign-in,
    TransitionRefused for a catalogue entry without files and for a draft that published records
    refer to.
    """
    recent_authentication.require()
    checkpoint = Checkpoint.objects.locked().get(pk=checkpoint.pk)
    owners.demand_owner(by, checkpoint)
    if checkpoint.published_at is not None or checkpoint.revisions.pending().exists():
        _withdraw_all(checkpoint, by)
        return
    _demand_draft(checkpoint)
    details = {"checkpoint": checkpoint.repo_id, "revisions": checkpoint.revisions.count()}
    AuditEvent.record(WeightsEvent.CHECKPOINT_DELETED, actor=by, target=checkpoint, details=details)
    discarding.delete_revisions(checkpoint, list(checkpoint.revisions.order_by("-pk")))
    try:
        checkpoint.delete()
    except ProtectedError as error:
        raise TransitionRefused(
            f"{checkpoint} has published issues or links, so it stays in the catalogue"
        ) from error


@transaction.atomic
def rename(checkpoint: Checkpoint, repo_id: str, *, by: User) -> None:
    """Rename a checkpoint that was never published to `repo_id`; published names never change.

    Raises InvalidName, NameTaken, NotAllowed without the role, TransitionRefused, and
    RecentAuthenticationRequired after an old sign-in.
    """
    recent_authentication.require()
    org, name = names.split_repo_id(repo_id, also_reserved=_RESERVED)
    locked = Checkpoint.objects.locked().get(pk=checkpoint.pk)
    owners.demand_owner(by, locked)
    if locked.published_at is not None or locked.revisions.exclude(state=_DRAFT).exists():
        raise TransitionRefused(f"{locked} was published, and people's scripts use its name")
    _demand_draft(locked)
    others = Checkpoint.objects.filter(org__iexact=org, name__iexact=name)
    if others.exclude(pk=locked.pk).exists():
        raise NameTaken(f"the name {repo_id} is taken; choose another one")
    details = {"fields": ["org", "name"], "from": locked.repo_id, "to": repo_id}
    locked.org, locked.name = org, name
    locked.save(update_fields=["org", "name"])
    AuditEvent.record(WeightsEvent.CHECKPOINT_CHANGED, actor=by, target=locked, details=details)


def _demand_draft(checkpoint: Checkpoint) -> None:
    """Raise TransitionRefused for a public catalogue entry whose files are elsewhere."""
    if not checkpoint.private:
        raise TransitionRefused(
            f"{checkpoint} is a catalogue entry without files; change or remove it in the admin"
        )


def _existing(org: str, name: str, by: User) -> Checkpoint | None:
    found = Checkpoint.objects.select_related("tier").filter(org__iexact=org, name__iexact=name)
    checkpoint = found.first()
    if checkpoint is None:
        return None
    if checkpoint.repo_id != f"{org}/{name}" or not owners.is_owner(by, checkpoint):
        raise NameTaken(f"the name {org}/{name} is taken; choose another one")
    return checkpoint


def _strictest_tier(by: User) -> Tier:
    """The strictest active tier that `by` owns; among equals, the first in display order."""
    tiers = owners.tiers_of(by).filter(retired_at=None)
    if not tiers:
        raise NotAllowed(_NO_TIER)
    return max(tiers, key=strictness.rank)


@transaction.atomic
def _create(org: str, name: str, by: User, tier: Tier) -> Checkpoint:
    checkpoint = Checkpoint.objects.create(org=org, name=name, tier=tier, private=True)
    checkpoint_tiers.record_new_checkpoint(checkpoint, by=by)
    details = {"checkpoint": checkpoint.repo_id, "tier": tier.slug}
    AuditEvent.record(WeightsEvent.CHECKPOINT_CREATED, actor=by, target=checkpoint, details=details)
    recording.record_revision(
        checkpoint,
        [],
        branch="main",
        tag="",
        message=FIRST_MESSAGE,
        author=by,
        findings=[],
        licence={},
        state=Revision.State.DRAFT,
    )
    return checkpoint


def _withdraw_all(checkpoint: Checkpoint, by: User) -> None:
    discarding.discard_all(checkpoint, by=by)
    shown = checkpoint.revisions.filter(
        state__in=[Revision.State.VISIBLE, Revision.State.PENDING, Revision.State.FAILED]
    )
    for revision in shown.order_by("pk"):
        withdrawal.withdraw(revision, DELETED, by=by)
