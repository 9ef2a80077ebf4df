"""Discard drafts: their rows are deleted, and the audit trail records it."""

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
    """Delete a draft and the drafts that stand on it; branches fall back to its parent.

    Does nothing for one that is gone. Raises NotAllowed without the role, TransitionRefused for a
    revision that is no draft, or on which a published one stands.
    """
    checkpoint = Checkpoint.objects.select_for_update(of=("self",)).get(pk=revision.checkpoint_id)
    if by is not None:
        owners.demand_owner(by, checkpoint)
    found = Revision.objects.filter(pk=revision.pk).first()
    if found is None:
        return
    if found.state != Revision.State.DRAFT:
        raise TransitionRefused(f"{found} is no draft any more; withdraw it instead")
    doomed = _with_descendants(found)
    if any(one.state != Revision.State.DRAFT for one in doomed):
        raise TransitionRefused(f"a published revision stands on {found}, so it stays")
    _record(checkpoint, doomed, by)
    delete_revisions(checkpoint, doomed)


@transaction.atomic
def discard_all(checkpoint: Checkpoint, *, by: User | None, branch: str = "") -> None:
    """Discard every draft on which no published revision stands; `branch` limits them to one.

    Raises TransitionRefused if a draft of another branch stands on one of `branch`.
    """
    by_parent = _by_parent(checkpoint.pk)
    doomed: dict[int, Revision] = {}
    drafts = checkpoint.revisions.drafts()
    if branch:
        drafts = drafts.filter(branch=branch)
    for one in drafts.order_by("-pk"):
        children = [child for child in by_parent.get(one.pk, []) if child.pk not in doomed]
        if branch and any(child.state == Revision.State.DRAFT for child in children):
            raise TransitionRefused(f"a draft of {children[0].branch} stands on {one}")
        if not children:
            doomed[one.pk] = one
    _record(checkpoint, list(doomed.values()), by)
    delete_revisions(checkpoint, list(doomed.values()))


def delete_revisions(checkpoint: Checkpoint, doomed: list[Revision]) -> None:
    """Delete revisions that were never visible, the newest first; refs fall back to parents."""
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
    for one in found:  # grows as it goes
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
