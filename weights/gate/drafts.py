"""Drafts, which only a checkpoint's owners can access: with a write token, or a session.

An owner is an active release owner of the checkpoint's tier. With a write token, a branch means
its newest revision, published or not. With a session, a draft needs its commit id or, on pages, a
branch or tag that has nothing published. For everyone else, the name does not exist.
"""

from dataclasses import replace

from django.db import models

from accounts.api_tokens.models import Scope
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import OWNERS
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.gate.caller import Caller
from weights.gate.facts import Facts
from weights.gate.statement import Row
from weights.publishing.models import File, Ref, Revision
from weights.publishing.queries import SHA, head_of, ref_name

#: States that only owners see.
UNPUBLISHED = [Revision.State.DRAFT, Revision.State.PENDING, Revision.State.FAILED]


def owns(caller: Caller, repo_id: str, tier_id: int) -> bool:
    """True for an owner with a session, or with a write token made after a recent sign-in."""
    token = caller.token
    if caller.user is None or caller.kind not in {"session", "token"}:
        return False
    if token is not None:
        if Scope.WRITE not in token.scopes or not token.covers(repo_id):
            return False
        if not token.recently_authenticated:
            return False
    user = User.objects.get(pk=caller.user.pk)
    return RoleAssignment.objects.covers(user, OWNERS, Tier(pk=tier_id))


def find_draft(
    caller: Caller, checkpoint: Checkpoint, name: str, *, by_ref: bool = False
) -> Revision | None:
    """The unpublished revision that `name` means for this caller, or None.

    With `by_ref`, a branch or tag is allowed with a session too. Runs no query unless the caller is
    staff with a write token, or with a session and a permitted name.
    """
    if caller.token is None and not by_ref and not SHA.fullmatch(name):
        return None
    return _named(checkpoint.pk, name) if may_own(caller, checkpoint) else None


def may_own(caller: Caller, checkpoint: Checkpoint) -> bool:
    """True for an owner of the checkpoint, with a session or a write token."""
    is_staff = caller.user is not None and caller.user.is_staff
    return is_staff and owns(caller, checkpoint.repo_id, checkpoint.tier_id)


def look_up(
    caller: Caller, facts: Facts, row: Row, repo_id: str, revision: str, path: str
) -> tuple[Facts, Row]:
    """The facts and the row of the named draft, if the caller owns the checkpoint.

    A draft has no embargo. Of its files, only LFS files that are also published need a grant.
    """
    if row.checkpoint_id is None or not owns(caller, repo_id, row.tier_id):
        return replace(facts, names_draft=False), row
    draft = _named(row.checkpoint_id, revision) if revision else None
    if draft is None:
        return _without_draft(facts, row.checkpoint_id), row
    files = File.objects.filter(revision=draft)
    file = None
    if path and is_storable(path):
        files = files.filter(path=path)
        file = files.select_related("blob").first()
    facts = replace(
        facts,
        names_draft=True,
        published=True,
        embargo_until=None,
        gated=facts.gated and _is_published(row.checkpoint_id, files),
        revision_id=draft.pk,
        withdrawn=False,
        file_id=file.pk if file else None,
        blob_state=file.blob.state if file else "",
    )
    return facts, _row_of(row, draft, file)


def _without_draft(facts: Facts, checkpoint_id: int) -> Facts:
    """The facts if no draft is named; an unpublished checkpoint with drafts counts as a draft."""
    if facts.published or facts.revision_id is not None or not _has_drafts(checkpoint_id):
        return replace(facts, names_draft=False)
    return replace(facts, names_draft=True, published=True, embargo_until=None, gated=False)


def _named(checkpoint_id: int, name: str) -> Revision | None:
    if not is_storable(name):
        return None
    unpublished = Revision.objects.filter(checkpoint=checkpoint_id, state__in=UNPUBLISHED)
    if SHA.fullmatch(name):
        return unpublished.filter(sha=name).first()
    short, kind = ref_name(name)
    if kind != Ref.Kind.TAG:
        head = head_of(checkpoint_id, short, drafts=True)
        if head is not None:
            return head if head.state in UNPUBLISHED else None
    tagged = unpublished.filter(refs__name=short, refs__kind=Ref.Kind.TAG)
    return tagged.first() if kind != Ref.Kind.BRANCH else None


def _has_drafts(checkpoint_id: int) -> bool:
    return Revision.objects.drafts().filter(checkpoint=checkpoint_id).exists()


def _is_published(checkpoint_id: int, files: models.QuerySet[File]) -> bool:
    """True if the checkpoint has published the bytes of an LFS file among these."""
    published = File.objects.filter(
        revision__checkpoint=checkpoint_id, revision__visible_at__isnull=False
    )
    weights = files.filter(lfs=True, blob__in=published.order_by().values("blob"))
    return weights.exists()


def _row_of(row: Row, draft: Revision, file: File | None) -> Row:
    row = row._replace(
        revision_id=draft.pk,
        revision_sha=draft.sha,
        revision_state=draft.state,
        revision_visible=draft.visible_at,
        revision_created=draft.created_at,
    )
    if file is None:
        return row._replace(file_id=None)
    blob = file.blob
    return row._replace(
        file_id=file.pk,
        file_lfs=file.lfs,
        file_git_oid=file.git_oid,
        blob_id=blob.pk,
        blob_sha256=blob.sha256,
        blob_size=blob.size,
        blob_state=blob.state,
        blob_version=blob.version,
        blob_mark=blob.mark,
        blob_version_in=blob.version_in,
        blob_cause=blob.quarantine_cause,
    )
