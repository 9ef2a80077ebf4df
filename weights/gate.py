"""The gate: may these bytes go to this caller? Every way to bytes asks here and nowhere else.

It takes names as asked and looks them up itself, since only the entitled may learn whether
a path exists. It denies by default, and denies when it raises. The order of its rules is
that of security.md section 1.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.conf import settings

from accounts.models import Application, Grant, Tier, User
from accounts.models.grant import GrantQuerySet
from accounts.moves import Status
from weights.caller import Caller, Refusal
from weights.models import Blob, Checkpoint, File, Ref, Revision
from weights.names import can_exist

__all__ = ["Decision", "Missing", "Refusal", "decide", "find_revision", "may_read"]

_SHA = re.compile(r"[0-9a-f]{40}")


class Missing(StrEnum):
    """What was asked for by a name that leads nowhere."""

    REPOSITORY = "repository"
    REVISION = "revision"
    ENTRY = "entry"


@dataclass(frozen=True)
class Decision:
    """The answer: the file and the grant it rests on, or why not.

    `message` is a sentence with the next step and its address.
    """

    checkpoint: Checkpoint | None = None
    revision: Revision | None = None
    file: File | None = None
    grant: Grant | None = None
    code: Refusal | None = None
    missing: Missing | None = None
    message: str = ""

    @property
    def allowed(self) -> bool:
        return self.code is None and self.missing is None

    @property
    def status(self) -> int:
        """The HTTP status of a refusal (design.md section 3); 200 when allowed."""
        if self.allowed:
            return 200
        if self.missing is not None or self.code is Refusal.NOT_PUBLISHED:
            return 404
        return _STATUS.get(self.code or "", 403)


_STATUS: dict[str, int] = {
    Refusal.LOGIN_REQUIRED: 401,
    Refusal.TOKEN_INVALID: 401,
    Refusal.TOKEN_EXPIRED: 401,
    Refusal.QUOTA: 429,
    Refusal.LINK_EXPIRED: 410,
    Refusal.LINK_REVOKED: 410,
}


def decide(caller: Caller, repo_id: str, revision: str, path: str, now: datetime) -> Decision:
    """Whether the file `path` of `revision` of `repo_id` may go to `caller` at `now`."""
    entry = may_read(caller, repo_id, now)
    if not entry.allowed or entry.checkpoint is None:
        return entry
    found = find_revision(entry.checkpoint, revision)
    if found is None or not _link_covers(caller, found):
        return _missing(Missing.REVISION, entry.checkpoint, f"{repo_id} has no revision {revision}")
    files = found.files.select_related("blob", "revision__checkpoint__tier")
    file = files.filter(path=path).first() if can_exist(path) else None
    if file is None:
        return Decision(
            checkpoint=entry.checkpoint,
            revision=found,
            missing=Missing.ENTRY,
            message=f"{repo_id} has no file {path} in revision {found.sha}",
        )
    refusal = _file_refusal(file)
    return Decision(
        checkpoint=entry.checkpoint,
        revision=found,
        file=None if refusal else file,
        grant=entry.grant,
        code=refusal,
        message=_message(refusal, entry.checkpoint) if refusal else "",
    )


def may_read(caller: Caller, repo_id: str, now: datetime) -> Decision:
    """The rules up to the grant: whether `caller` may fetch files of `repo_id` at all."""
    if caller.problem is not None:
        return Decision(code=caller.problem, message=_CREDENTIAL_MESSAGES[caller.problem])
    checkpoint = Checkpoint.objects.visible_to(caller.user).by_repo_id(repo_id)
    if checkpoint is None:
        return _missing(Missing.REPOSITORY, None, f"there is no checkpoint {repo_id} here")
    if checkpoint.published_at is None:
        return _refuse(Refusal.NOT_PUBLISHED, checkpoint)
    if checkpoint.embargo_until is not None and checkpoint.embargo_until > now:
        return _refuse(Refusal.EMBARGOED, checkpoint)
    if not checkpoint.tier.is_gated:
        return Decision(checkpoint=checkpoint)
    if caller.user is None:
        return _refuse(Refusal.LOGIN_REQUIRED, checkpoint)
    if not _in_good_standing(caller.user):
        return _refuse(Refusal.SUSPENDED, checkpoint)
    if caller.token is not None and not caller.token.may_read_gated(repo_id):
        return _refuse(Refusal.TOKEN_SCOPE, checkpoint)
    return _by_grant(caller, checkpoint, now)


def find_revision(checkpoint: Checkpoint, name: str) -> Revision | None:
    """The visible revision that a branch, tag, full ref or 40-hex id names."""
    if not can_exist(name):
        return None
    visible = Revision.objects.visible().filter(checkpoint=checkpoint)
    if _SHA.fullmatch(name):
        return visible.filter(sha=name).first()
    kind = None
    for prefix, of_kind in (("refs/heads/", Ref.Kind.BRANCH), ("refs/tags/", Ref.Kind.TAG)):
        if name.startswith(prefix):
            name, kind = name.removeprefix(prefix), of_kind
    refs = Ref.objects.filter(checkpoint=checkpoint, name=name)
    if kind is not None:
        refs = refs.filter(kind=kind)
    return visible.filter(refs__in=refs).first()


# -- the grant --------------------------------------------------------------------------


def _by_grant(caller: Caller, checkpoint: Checkpoint, now: datetime) -> Decision:
    """Allow on a live grant whose licence holds; otherwise say how things stand."""
    assert caller.user is not None  # may_read has refused strangers
    grants = Grant.objects.filter(user=caller.user, tier=checkpoint.tier)
    if caller.grant_id is not None:
        grants = grants.filter(pk=caller.grant_id)
    grant = grants.live(now).select_related("licence_version").first()
    if grant is None:
        return _refuse(_why_no_grant(caller.user, checkpoint.tier, grants), checkpoint)
    if not grant.licence_holds(now, checkpoint.tier.licence.in_force()):
        return _refuse(Refusal.LICENCE_OUTDATED, checkpoint)
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


def _file_refusal(file: File) -> Refusal | None:
    if file.blob.state == Blob.State.VERIFIED:
        return None
    if file.blob.state == Blob.State.QUARANTINED:
        return Refusal.FILE_QUARANTINED
    return Refusal.FILE_UNVERIFIED


def _missing(what: Missing, checkpoint: Checkpoint | None, message: str) -> Decision:
    return Decision(checkpoint=checkpoint, missing=what, message=message)


def _refuse(code: Refusal, checkpoint: Checkpoint) -> Decision:
    return Decision(checkpoint=checkpoint, code=code, message=_message(code, checkpoint))


# -- words ------------------------------------------------------------------------------

#: The Hub's client knows an invalid token by exactly these words (hub-api.md section 0).
INVALID_CREDENTIALS = "Invalid credentials in Authorization header"
_CREDENTIAL_MESSAGES: dict[Refusal, str] = {
    Refusal.TOKEN_INVALID: INVALID_CREDENTIALS,
    Refusal.TOKEN_EXPIRED: INVALID_CREDENTIALS,
    Refusal.LINK_EXPIRED: "this link has expired; open it in a browser to get a new one",
    Refusal.LINK_REVOKED: "this link was revoked; ask for a new one on your access page",
    Refusal.LOGIN_REQUIRED: "sign in first",
}


def _apply(checkpoint: Checkpoint) -> str:
    return f"{settings.PUBLIC_URL}/apply/{checkpoint.tier.slug}/"


def _page(checkpoint: Checkpoint) -> str:
    return f"{settings.PUBLIC_URL}{checkpoint.get_absolute_url()}"


_MESSAGES: dict[Refusal, Callable[[Checkpoint], str]] = {
    Refusal.LOGIN_REQUIRED: lambda c: (
        f"Access to {c.repo_id} needs an approved application. Sign in with a token, or apply at "
        f"{_apply(c)}"
    ),
    Refusal.NO_APPLICATION: lambda c: (
        f"You hold no access to {c.repo_id} yet. Apply at {_apply(c)}"
    ),
    Refusal.IN_REVIEW: lambda c: (
        f"Your application for {c.repo_id} is being reviewed. Follow it at "
        f"{settings.PUBLIC_URL}/applications/"
    ),
    Refusal.RETURNED: lambda c: (
        f"Your application for {c.repo_id} was returned for changes. Answer at "
        f"{settings.PUBLIC_URL}/applications/"
    ),
    Refusal.REJECTED: lambda c: (
        f"Your application for {c.repo_id} was rejected. Read why at "
        f"{settings.PUBLIC_URL}/applications/"
    ),
    Refusal.GRANT_EXPIRED: lambda c: (
        f"Your access to {c.repo_id} has ended. Apply again at {_apply(c)}"
    ),
    Refusal.REVOKED: lambda c: (
        f"Your access to {c.repo_id} was revoked. See {settings.PUBLIC_URL}/access/"
    ),
    Refusal.SUSPENDED: lambda c: (
        f"Your access to {c.repo_id} is on hold: confirm your e-mail address, or see "
        f"{settings.PUBLIC_URL}/access/"
    ),
    Refusal.LICENCE_OUTDATED: lambda c: (
        f"The licence of {c.repo_id} has changed. Accept the new text at {_apply(c)}"
    ),
    Refusal.TOKEN_SCOPE: lambda c: (
        f"This token may not read gated checkpoints such as {c.repo_id}. Make one with the scope "
        f"read-gated at {settings.PUBLIC_URL}/settings/tokens/"
    ),
    Refusal.EMBARGOED: lambda c: f"{c.repo_id} is not released yet.",
    Refusal.NOT_PUBLISHED: lambda c: (
        f"{c.repo_id} stands in the catalogue, but its weights are not published here. See "
        f"{_page(c)}"
    ),
    Refusal.FILE_UNVERIFIED: lambda c: (
        f"This file of {c.repo_id} is still being verified. Try again later; see {_page(c)}"
    ),
    Refusal.FILE_QUARANTINED: lambda c: (
        f"This file of {c.repo_id} failed a check and is not served. See {_page(c)}"
    ),
}


def _message(code: Refusal, checkpoint: Checkpoint) -> str:
    return _MESSAGES[code](checkpoint)
