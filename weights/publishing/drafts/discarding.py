"""Discard drafts: delete their rows and record that in the audit trail."""

from django.db import transaction

from accounts.audit.models import AuditEvent
from accounts.errors import TransitionRefused
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.publishing.drafts import owners
from weights.publishing.models import File, Ref, Revision


@transaction.atomic
def discard(revision: Revision, *, by: User | None) -> None:
    """Delete a draft and the drafts based on it; branches move back to its parent.

    Does nothing if the draft is gone. Raises NotAllowed without the role, and TransitionRefused for
    a revision that is not a draft or that a published one is based on.
    """
    checkpoint = Checkpoint.objects.locked().get(pk=revision.checkpoint_id)
    if by is not None:
        owners.demand_owner(by, checkpoint)
    found = Revision.objects.filter(pk=revision.pk).first()
    if found is None:
        return
    if found.state != Revision.State.DRAFT:
        raise TransitionRefused(f"{found} is no longer a draft; withdraw it instead")
    doomed = _with_descendants(found)
    if any(one.state != Revision.State.DRAFT for one in doomed):
        raise TransitionRefused(f"a published revision is based on {found}, so it must stay")
    _record(checkpoint, doomed, by)
    delete_revisions(checkpoint, doomed)


@transaction.atomic
def discard_all(checkpoint: Checkpoint, *, by: User | None, branch: str = "") -> None:
    """Discard all drafts, or those of `branch`, that no published revision is based on.

    Raises TransitionRefused if a draft of another branch is based on one of `branch`.
    """
    by_parent = _by_parent(checkpoint.pk)
    doomed: dict[int, Revision] = {}
    drafts = checkpoint.revisions.drafts()
    if branch:
        drafts = drafts.filter(branch=branch)
    for one in drafts.order_by("-pk"):
        children = [child for child in by_parent.get(one.pk, []) if child.pk not in doomed]
        if branch and any(child.state == Revision.State.DRAFT for child in children):
            raise TransitionRefused(f"a draft of {children[0].branch} is based on {one}")
        if not children:
            doomed[one.pk] = one
    _record(checkpoint, list(doomed.values()), by)
    delete_revisions(checkpoint, list(doomed.values()))


def delete_revisions(checkpoint: Checkpoint, doomed: list[Revision]) -> None:
    """Delete revisions that were never visible; branches move back to the nearest parent."""
    parents = dict(checkpoint.revisions.values_list("pk", "parent_id"))
    ids = {one.pk for one in doomed}
    for ref in Ref.objects.filter(revision__in=ids):
        parent = parents[ref.revision_id]
        while parent in ids:
            parent = parents[parent]
        if parent is None or ref.kind == Ref.Kind.TAG:
            ref.delete()
        else:
            ref.revision_id = parent
            ref.save(update_fields=["revision"])
    File.objects.filter(revision__in=ids).delete()
    for one in sorted(doomed, key=lambda one: -one.pk):
        one.delete()


def _with_descendants(revision: Revision) -> list[Revision]:
    by_parent = _by_parent(revision.checkpoint_id)
    found = [revision]
    for one in found:  # the loop extends the list
        found.extend(by_parent.get(one.pk, []))
    return found


def _by_parent(checkpoint_id: int) -> dict[int | None, list[Revision]]:
    children: dict[int | None, list[Revision]] = {}
    for one in Revision.objects.filter(checkpoint=checkpoint_id):
        children.setdefault(one.parent_id, []).append(one)
    return children


def _record(checkpoint: Checkpoint, doomed: list[Revision], by: User | None) -> None:
    for one in doomed:
        AuditEvent.record(
            WeightsEvent.REVISION_DISCARDED,
            actor=by,
            target=one,
            credential=("", "") if by else ("command", ""),
            details={"checkpoint": checkpoint.repo_id, "sha": one.sha, "branch": one.branch},
        )
