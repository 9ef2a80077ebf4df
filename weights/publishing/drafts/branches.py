"""Create and delete branches and tags. Those of a draft become public when the draft does."""

from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from accounts.users.models import User
from weights.catalogue import names
from weights.catalogue.models import Checkpoint
from weights.errors import NameTaken, UnknownRevision
from weights.event_tags import WeightsEvent
from weights.publishing.drafts import discarding, owners, queries
from weights.publishing.models import Ref, Revision
from weights.publishing.queries import is_branch, tagged_revision


def create_branch(
    checkpoint: Checkpoint, name: str, *, by: User, starting_point: str = "main"
) -> Ref:
    """Create a branch at a commit, branch or tag.

    Raises InvalidName, NameTaken, UnknownRevision, and NotAllowed without the role.
    """
    return _create(checkpoint, name, Ref.Kind.BRANCH, by, starting_point)


def create_tag(checkpoint: Checkpoint, name: str, *, by: User, revision: str = "main") -> Ref:
    """Tag a commit, branch or tag; raises as `create_branch` does."""
    return _create(checkpoint, name, Ref.Kind.TAG, by, revision)


@transaction.atomic
def delete_branch(checkpoint: Checkpoint, name: str, *, by: User) -> None:
    """Delete a branch and its drafts; its published revisions keep their ids.

    Raises UnknownRevision, NotAllowed, and TransitionRefused for `main`, for a branch that is
    being verified and for one with drafts that another branch is based on.
    """
    _lock(checkpoint, by)
    if not is_branch(checkpoint.pk, name):
        raise UnknownRevision(f"{checkpoint} has no branch {name}")
    if name == "main":
        raise TransitionRefused("main is the default branch, so it cannot be deleted")
    if checkpoint.revisions.pending().filter(branch=name).exists():
        raise TransitionRefused(f"{name} is being verified; delete it afterwards")
    discarding.discard_all(checkpoint, by=by, branch=name)
    Ref.objects.filter(checkpoint=checkpoint, kind=Ref.Kind.BRANCH, name=name).delete()
    _record(WeightsEvent.REF_DELETED, checkpoint, Ref.Kind.BRANCH, name, by)


@transaction.atomic
def delete_tag(checkpoint: Checkpoint, name: str, *, by: User) -> None:
    """Delete the tag of a draft. Raises TransitionRefused for one that readers may have pinned."""
    _lock(checkpoint, by)
    tags = Ref.objects.filter(checkpoint=checkpoint, kind=Ref.Kind.TAG, name=name)
    ref = tags.select_related("revision").first()
    if ref is None:
        raise UnknownRevision(f"{checkpoint} has no tag {name}")
    if ref.revision.visible_at is not None:
        raise TransitionRefused(
            f"{name} names a published revision, and tags never change; withdraw the revision"
        )
    ref.delete()
    _record(WeightsEvent.REF_DELETED, checkpoint, Ref.Kind.TAG, name, by)


@transaction.atomic
def _create(checkpoint: Checkpoint, name: str, kind: Ref.Kind, by: User, point: str) -> Ref:
    names.check_ref(name)
    _lock(checkpoint, by)
    taken = Ref.objects.filter(checkpoint=checkpoint, name=name).exists()
    if taken or is_branch(checkpoint.pk, name) or tagged_revision(checkpoint.pk, name):
        raise NameTaken(f"{checkpoint} already has a branch or tag {name}")
    revision = queries.find_revision(checkpoint, point)
    if revision is None:
        raise UnknownRevision(f"{checkpoint} has no revision {point}")
    ref = Ref.objects.create(checkpoint=checkpoint, kind=kind, name=name, revision=revision)
    _record(WeightsEvent.REF_CREATED, checkpoint, kind, name, by, revision)
    return ref


def _lock(checkpoint: Checkpoint, by: User) -> None:
    locked = Checkpoint.objects.locked().get(pk=checkpoint.pk)
    owners.demand_owner(by, locked)


def _record(
    event: WeightsEvent,
    checkpoint: Checkpoint,
    kind: Ref.Kind,
    name: str,
    by: User,
    revision: Revision | None = None,
) -> None:
    details = {"checkpoint": checkpoint.repo_id, "kind": str(kind), "name": name}
    if revision is not None:
        details["sha"] = revision.sha
    AuditEvent.record(event, actor=by, target=checkpoint, details=details)
