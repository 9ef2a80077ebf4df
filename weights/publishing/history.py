"""A revision and its ancestors."""

from weights.publishing.models import Revision

_PUBLISHED = {Revision.State.VISIBLE, Revision.State.WITHDRAWN}


def history(revision: Revision) -> list[Revision]:
    """The revision and its published ancestors, newest first, with authors: one query.

    Includes withdrawn revisions that were once visible. For an unpublished revision, also includes
    its unpublished ancestors.
    """
    is_published = revision.state in _PUBLISHED
    siblings = Revision.objects.filter(checkpoint_id=revision.checkpoint_id)
    by_id = {one.pk: one for one in siblings.select_related("author")}
    ancestors: list[Revision] = []
    next_id: int | None = revision.pk
    while next_id in by_id:
        current = by_id.pop(next_id)
        if current.state not in _PUBLISHED:
            shown = not is_published
        else:
            shown = current.visible_at is not None
        if shown:
            ancestors.append(current)
        next_id = current.parent_id
    return ancestors
