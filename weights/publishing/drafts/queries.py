"""Look up drafts, and revisions by name as owners see them."""

from collections.abc import Iterable

from django.db.models import Exists, OuterRef

from accounts.roles.active_staff import is_active_staff
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.publishing.models import Ref, Revision, RevisionQuerySet
from weights.publishing.queries import SHA, head_of, ref_name


def drafts_of(user: User) -> RevisionQuerySet:
    """The newest draft of each branch that `user` may publish, the newest first.

    Drafts that a later commit or publication of their branch replaced are left out.
    """
    drafts = newest_drafts().exclude(pk__in=drafts_hidden_from(user).values("pk"))
    return drafts.select_related("checkpoint__tier", "author")


def newest_drafts() -> RevisionQuerySet:
    """Drafts that no later commit or publication of their branch replaced."""
    return Revision.objects.drafts().exclude(Exists(_later()))


def drafts_hidden_from(user: User) -> RevisionQuerySet:
    """The drafts that `user` does not own."""
    drafts = Revision.objects.drafts()
    if not is_active_staff(user):
        return drafts
    tiers = RoleAssignment.objects.held(user, OWNERS).tiers()
    return drafts.none() if tiers is None else drafts.exclude(checkpoint__tier__in=tiers)


def branch_head(checkpoint_id: int, branch: str) -> Revision | None:
    """The branch's newest revision, drafts included; None if there is none."""
    return head_of(checkpoint_id, branch, drafts=True)


def find_revision(checkpoint: Checkpoint, name: str) -> Revision | None:
    """Find a revision by id, branch or tag as owners see it: with drafts, without withdrawn ones.

    `name` may be a full ref, such as `refs/heads/main`.
    """
    if not is_storable(name):
        return None
    revisions = checkpoint.revisions.exclude(state=Revision.State.WITHDRAWN)
    if SHA.fullmatch(name):
        return revisions.filter(sha=name).first()
    short, kind = ref_name(name)
    if kind != Ref.Kind.TAG and (head := branch_head(checkpoint.pk, short)) is not None:
        return head
    if kind == Ref.Kind.BRANCH:
        return None
    return revisions.filter(refs__name=short, refs__kind=Ref.Kind.TAG).first()


def refs_of(checkpoint: Checkpoint, refs: Iterable[Ref]) -> list[Ref]:
    """The branches and tags as owners see them: branches point at their newest draft.

    Adds an unsaved Ref for each branch that has only drafts.
    """
    unpublished = checkpoint.revisions.filter(
        state__in=[Revision.State.DRAFT, Revision.State.PENDING]
    )
    heads = {one.branch: one for one in unpublished.order_by("pk")}
    shown = {ref.name: ref for ref in refs if ref.revision.state != Revision.State.WITHDRAWN}
    for branch, head in heads.items():
        ref = shown.setdefault(
            branch, Ref(checkpoint=checkpoint, kind=Ref.Kind.BRANCH, name=branch, revision=head)
        )
        if ref.kind == Ref.Kind.BRANCH and ref.revision_id < head.pk:
            ref.revision = head
    return [shown[name] for name in sorted(shown)]


def _later() -> RevisionQuerySet:
    """Revisions that replaced the draft of the outer query on its branch."""
    return Revision.objects.filter(
        checkpoint=OuterRef("checkpoint"),
        branch=OuterRef("branch"),
        pk__gt=OuterRef("pk"),
        state__in=[Revision.State.DRAFT, Revision.State.PENDING, Revision.State.VISIBLE],
    )
