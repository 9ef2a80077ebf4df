"""The names of a revision: 40 hex digits, a branch or tag, a full ref, or `HEAD`."""

import re

from weights.publishing.models import Ref, Revision

SHA = re.compile(r"[0-9a-f]{40}")
DEFAULT_BRANCH = "main"
_PREFIXES = (("refs/heads/", Ref.Kind.BRANCH), ("refs/tags/", Ref.Kind.TAG))


def ref_name(name: str) -> tuple[str, Ref.Kind | None]:
    """The short name of a ref, and its kind if the ref is a full one.

    `HEAD` is the default branch, as in git; `names.check_ref` reserves the name.
    """
    if name == "HEAD":
        return DEFAULT_BRANCH, None
    for prefix, kind in _PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix), kind
    return name, None


def head_of(checkpoint_id: int, branch: str, *, drafts: bool = False) -> Revision | None:
    """The branch's newest revision that is visible or pending; with `drafts`, also a draft."""
    states = [Revision.State.PENDING, Revision.State.VISIBLE]
    if drafts:
        states.append(Revision.State.DRAFT)
    accepted = Revision.objects.filter(checkpoint=checkpoint_id, state__in=states)
    named = accepted.filter(refs__kind=Ref.Kind.BRANCH, refs__name=branch).first()
    owned = accepted.filter(branch=branch)
    if named is not None:  # its ref decides, since the branch may have been recreated elsewhere
        owned = owned.exclude(state=Revision.State.VISIBLE)
    own = owned.order_by("-pk").first()
    return max((found for found in (own, named) if found), key=lambda r: r.pk, default=None)


def tagged_revision(checkpoint_id: int, tag: str) -> Revision | None:
    """The revision that has this tag, or gets it once it is verified."""
    tags = Ref.objects.filter(checkpoint=checkpoint_id, kind=Ref.Kind.TAG, name=tag)
    if (ref := tags.select_related("revision").first()) is not None:
        return ref.revision
    pending = Revision.objects.filter(checkpoint=checkpoint_id, state=Revision.State.PENDING)
    return pending.filter(tag=tag).first()


def is_branch(checkpoint_id: int, name: str) -> bool:
    """True for a branch, including one that has only unpublished revisions."""
    branches = Ref.objects.filter(checkpoint=checkpoint_id, kind=Ref.Kind.BRANCH)
    unpublished = Revision.objects.filter(
        checkpoint=checkpoint_id, state__in=[Revision.State.PENDING, Revision.State.DRAFT]
    )
    return branches.filter(name=name).exists() or unpublished.filter(branch=name).exists()
