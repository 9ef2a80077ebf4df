"""The gate's rules, to be read: one after the other, in the order of docs/requirements.md, GT-6."""

import re
from datetime import datetime

from accounts.applications.models import Application
from accounts.applications.state_machine import Status
from accounts.grants.models import Grant, GrantQuerySet
from accounts.tiers.models import Tier
from accounts.users.models import User
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.gate import messages
from weights.gate.caller import Caller, Refusal
from weights.gate.decision import Decision
from weights.publishing.models import Ref, Revision, RevisionQuerySet
from weights.storage.models import Blob

SHA = re.compile(r"[0-9a-f]{40}")


def decide(caller: Caller, repo_id: str, revision: str, path: str, now: datetime) -> Decision:
    """Whether the file `path` of `revision` of `repo_id` may go to `caller` at `now`."""
    entry = may_read(caller, repo_id, now)
    if not entry.allowed or entry.checkpoint is None:
        return entry
    found = find_revision(entry.checkpoint, revision)
    if found is None or not _link_covers(caller, found):
        return _no_revision(caller, entry.checkpoint, revision)
    files = found.files.select_related("blob", "revision__checkpoint__tier")
    file = files.filter(path=path).first() if is_storable(path) else None
    if file is None:
        return messages.no_file(entry.checkpoint, found, repo_id, path)
    if (refusal := file_refusal(file.blob.state)) is not None:
        return messages.refused(refusal, entry.checkpoint, found)
    return Decision(checkpoint=entry.checkpoint, revision=found, file=file, grant=entry.grant)


def may_read(caller: Caller, repo_id: str, now: datetime) -> Decision:
    """The rules up to the grant: whether `caller` may fetch files of `repo_id` at all."""
    if caller.problem is not None:
        return messages.invalid(caller.problem)
    checkpoint = Checkpoint.objects.visible_to(caller.user).by_repo_id(repo_id)
    if checkpoint is None:
        return messages.no_repository(repo_id)
    if checkpoint.published_at is None:
        return _unpublished(checkpoint)
    if checkpoint.embargo_until is not None and checkpoint.embargo_until > now:
        return messages.refused(Refusal.EMBARGOED, checkpoint)
    if not checkpoint.tier.is_gated:
        return Decision(checkpoint=checkpoint)
    if caller.user is None:
        return messages.refused(Refusal.LOGIN_REQUIRED, checkpoint)
    if not _in_good_standing(caller.user):
        return messages.refused(Refusal.SUSPENDED, checkpoint)
    if caller.token is not None and not caller.token.may_read_gated(repo_id):
        return messages.refused(Refusal.TOKEN_SCOPE, checkpoint)
    return _by_grant(caller, checkpoint, now)


def may_read_about(caller: Caller, repo_id: str, now: datetime) -> Decision:
    """Whether `caller` may read the description and the files' names of `repo_id`.

    Published ones are described to everybody who may know of them, with or without a grant.
    """
    entry = may_read(caller, repo_id, now)
    if entry.checkpoint is None or entry.checkpoint.published_at is None:
        return entry
    return Decision(checkpoint=entry.checkpoint)


def find(caller: Caller, repo_id: str, revision: str, now: datetime) -> Decision:
    """The revision to a caller who may read about it, as all may who may know of `repo_id`."""
    entry = may_read_about(caller, repo_id, now)
    if not entry.allowed or entry.checkpoint is None:
        return entry
    found = find_revision(entry.checkpoint, revision)
    if found is None:
        return _no_revision(caller, entry.checkpoint, revision)
    return Decision(checkpoint=entry.checkpoint, revision=found)


def find_revision(checkpoint: Checkpoint, name: str) -> Revision | None:
    """The visible revision that a branch, tag, full ref or 40-hex id names."""
    return _named(Revision.objects.visible(), checkpoint, name)


def withdrawn(checkpoint: Checkpoint, name: str) -> Decision | None:
    """The answer about what such a name led to until it was withdrawn; None for any other."""
    found = _named(Revision.objects.tombstones(), checkpoint, name)
    return messages.withdrawn(checkpoint, found) if found is not None else None


def _named(among: RevisionQuerySet, checkpoint: Checkpoint, name: str) -> Revision | None:
    if not is_storable(name):
        return None
    among = among.filter(checkpoint=checkpoint)
    if SHA.fullmatch(name):
        return among.filter(sha=name).first()
    name, kind = ref_name(name)
    refs = Ref.objects.filter(checkpoint=checkpoint, name=name)
    if kind is not None:
        refs = refs.filter(kind=kind)
    return among.filter(refs__in=refs).first()


def _unpublished(checkpoint: Checkpoint) -> Decision:
    """Nothing was ever published: either the first files are being verified, or there are none."""
    if checkpoint.awaits_first_verification:
        return messages.being_verified(checkpoint)
    return messages.refused(Refusal.NOT_PUBLISHED, checkpoint)


def _no_revision(caller: Caller, checkpoint: Checkpoint, name: str) -> Decision:
    """A name that leads nowhere; a withdrawn revision is told to whoever could have had it."""
    gone = withdrawn(checkpoint, name)
    if gone is not None and gone.revision is not None and _link_covers(caller, gone.revision):
        return gone
    return messages.no_revision(checkpoint, checkpoint.repo_id, name)


def ref_name(name: str) -> tuple[str, Ref.Kind | None]:
    """The short name of a ref, and what it must be where the full name says so."""
    kind = None
    for prefix, of_kind in (("refs/heads/", Ref.Kind.BRANCH), ("refs/tags/", Ref.Kind.TAG)):
        if name.startswith(prefix):
            name, kind = name.removeprefix(prefix), of_kind
    return name, kind


# -- the grant --------------------------------------------------------------------------


def _by_grant(caller: Caller, checkpoint: Checkpoint, now: datetime) -> Decision:
    """Allow on a live grant whose licence holds; otherwise say how things stand."""
    assert caller.user is not None  # may_read has refused strangers
    grants = Grant.objects.filter(user=caller.user, tier=checkpoint.tier)
    if caller.grant_id is not None:
        grants = grants.filter(pk=caller.grant_id)
    grant = grants.live(now).select_related("licence_version").first()
    if grant is None:
        return messages.refused(_why_no_grant(caller.user, checkpoint.tier, grants), checkpoint)
    tier = checkpoint.tier
    if not grant.licence_holds(now, tier, tier.licence.in_force_by(now)):
        return messages.refused(Refusal.LICENCE_OUTDATED, checkpoint)
    return Decision(checkpoint=checkpoint, grant=grant)


_BY_GRANT_STATE: dict[str, Refusal] = {
    Grant.State.ACTIVE: Refusal.GRANT_EXPIRED,  # active but not live: its end has passed
    Grant.State.EXPIRED: Refusal.GRANT_EXPIRED,
    Grant.State.SUSPENDED: Refusal.SUSPENDED,
    Grant.State.REVOKED: Refusal.REVOKED,
    Grant.State.SURRENDERED: Refusal.NO_APPLICATION,
}
_BY_STATUS: dict[str, Refusal] = {
    Status.SUBMITTED: Refusal.IN_REVIEW,
    Status.IN_REVIEW: Refusal.IN_REVIEW,
    Status.RETURNED: Refusal.RETURNED,
    Status.REJECTED: Refusal.REJECTED,
}


def _why_no_grant(user: User, tier: Tier, grants: GrantQuerySet) -> Refusal:
    """Word the refusal by the newest of the person's applications and grants.

    Only wording: an application never opens the gate.
    """
    application = (
        Application.objects.filter(applicant=user, tier=tier)
        .exclude(status=Status.DRAFT)
        .order_by("-submitted_at")
        .first()
    )
    grant = grants.order_by("-starts_at").first()
    told = application.submitted_at if application else None
    if grant is not None and (told is None or grant.starts_at >= told):
        return _BY_GRANT_STATE[grant.state]
    if application is None:
        return Refusal.NO_APPLICATION
    return _BY_STATUS.get(application.status, Refusal.NO_APPLICATION)


# -- small rules ------------------------------------------------------------------------


def _in_good_standing(user: User) -> bool:
    return user.is_active and user.suspended_at is None and user.has_confirmed_address


def _link_covers(caller: Caller, revision: Revision) -> bool:
    """A checkpoint link reaches exactly the revision it was issued for."""
    return caller.link is None or caller.link.revision_id == revision.pk


def file_refusal(state: str) -> Refusal | None:
    """What the state of a blob says; None when its bytes may leave."""
    if state == Blob.State.VERIFIED:
        return None
    if state == Blob.State.QUARANTINED:
        return Refusal.FILE_QUARANTINED
    return Refusal.FILE_UNVERIFIED
