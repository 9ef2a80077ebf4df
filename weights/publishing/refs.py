"""Moves branches and sets tags as revisions become visible or are withdrawn."""

import logging

from weights.publishing.models import Ref, Revision

log = logging.getLogger(__name__)


def set_refs(revision: Revision, *, branch: str, tag: str) -> None:
    """Moves the branch to a visible revision unless it is already ahead, and sets the tag."""
    ref, _ = Ref.objects.get_or_create(
        checkpoint_id=revision.checkpoint_id,
        name=branch,
        defaults={"revision": revision, "kind": Ref.Kind.BRANCH},
    )
    is_behind = (
        ref.revision_id < revision.pk
        or ref.revision.visible_at is None
        or ref.revision.state == Revision.State.WITHDRAWN
    )
    if ref.kind == Ref.Kind.BRANCH and is_behind:
        ref.revision = revision
        ref.save(update_fields=["revision"])
    if tag:
        _set_tag(revision, tag)


def keep_drafts_hidden(shown: Revision) -> None:
    """Moves other branches that point at a newly visible revision to their newest drafts, if any.

    Otherwise everyone would see these branches. Call this under the checkpoint's lock.
    """
    branches = Ref.objects.filter(revision=shown, kind=Ref.Kind.BRANCH)
    for ref in branches.exclude(name=shown.branch):
        drafts = Revision.objects.drafts().filter(
            checkpoint=shown.checkpoint_id, branch=ref.name, pk__gt=shown.pk
        )
        if (newest := drafts.order_by("-pk").first()) is not None:
            ref.revision = newest
            ref.save(update_fields=["revision"])


def move_branches_back(withdrawn: Revision) -> None:
    """Moves branches that point at a withdrawn revision to an earlier one.

    That is the branch's newest visible revision, else the nearest visible ancestor. Without
    either, the branch keeps pointing at the withdrawn revision. Tags always do, so that a tag
    never changes its content.
    """
    branches = Ref.objects.filter(revision=withdrawn, kind=Ref.Kind.BRANCH)
    for ref in branches.select_for_update():
        own = Revision.objects.visible().filter(
            checkpoint_id=withdrawn.checkpoint_id, branch=ref.name
        )
        before = own.exclude(pk=withdrawn.pk).order_by("-pk").first() or _ancestor(withdrawn)
        if before is not None:
            ref.revision = before
            ref.save(update_fields=["revision"])


def withdrawn_head(checkpoint_id: int, branch: str) -> Revision | None:
    """Return the branch's newest revision if it was withdrawn, wherever the branch leads now."""
    if not Ref.objects.filter(checkpoint=checkpoint_id, kind=Ref.Kind.BRANCH, name=branch).exists():
        return None
    published = Revision.objects.filter(checkpoint=checkpoint_id, visible_at__isnull=False)
    newest = published.filter(branch=branch).order_by("-pk").first()
    is_withdrawn = newest is not None and newest.state == Revision.State.WITHDRAWN
    return newest if is_withdrawn else None


def _ancestor(revision: Revision) -> Revision | None:
    """The nearest visible ancestor."""
    parent_id = revision.parent_id
    while parent_id is not None:
        parent = Revision.objects.get(pk=parent_id)
        if parent.state == Revision.State.VISIBLE:
            return parent
        parent_id = parent.parent_id
    return None


def _set_tag(revision: Revision, tag: str) -> None:
    ref, _ = Ref.objects.get_or_create(
        checkpoint_id=revision.checkpoint_id,
        name=tag,
        defaults={"revision": revision, "kind": Ref.Kind.TAG},
    )
    if ref.revision_id != revision.pk:
        log.warning("%s keeps the tag %s; %s does not get it", ref.revision, tag, revision)
