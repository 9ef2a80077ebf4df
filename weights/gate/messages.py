"""The gate's sentences: why not, and where the next step is."""

from collections.abc import Callable

from django.conf import settings

from weights.catalogue.models import Checkpoint
from weights.gate.caller import Refusal
from weights.gate.decision import Decision, Missing
from weights.publishing.models import Revision

#: The Hub's client recognises an invalid token by this exact text (docs/requirements.md, GT-8).
INVALID_CREDENTIALS = "Invalid credentials in Authorization header"
_OF_CREDENTIALS: dict[Refusal, str] = {
    Refusal.TOKEN_INVALID: INVALID_CREDENTIALS,
    Refusal.TOKEN_EXPIRED: INVALID_CREDENTIALS,
    Refusal.LINK_EXPIRED: "this link has expired; open it in a browser to get a new one",
    Refusal.LINK_REVOKED: "this link was revoked; ask for a new one at {portal}/access/",
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


def invalid(problem: Refusal) -> Decision:
    """A credential was sent and opens nothing."""
    message = _OF_CREDENTIALS[problem].format(portal=settings.PUBLIC_URL)
    return Decision(code=problem, message=message)


def refused(code: Refusal, checkpoint: Checkpoint, revision: Revision | None = None) -> Decision:
    return Decision(
        checkpoint=checkpoint, revision=revision, code=code, message=_MESSAGES[code](checkpoint)
    )


def being_verified(checkpoint: Checkpoint) -> Decision:
    """The first revision was stored and not a single file is offered yet."""
    message = (
        f"The files of {checkpoint.repo_id} are being verified; try again in a minute. See "
        f"{_page(checkpoint)}"
    )
    return Decision(checkpoint=checkpoint, code=Refusal.FILE_UNVERIFIED, message=message)


def no_repository(repo_id: str) -> Decision:
    message = f"there is no checkpoint {repo_id} here"
    return Decision(missing=Missing.REPOSITORY, message=message)


def no_revision(checkpoint: Checkpoint, repo_id: str, name: str) -> Decision:
    message = f"{repo_id} has no revision {name}"
    return Decision(checkpoint=checkpoint, missing=Missing.REVISION, message=message)


def withdrawn(checkpoint: Checkpoint, revision: Revision) -> Decision:
    """It was here once; who may know of it is told when and why it went."""
    when = f" on {revision.withdrawn_at:%Y-%m-%d}" if revision.withdrawn_at else ""
    message = (
        f"Revision {revision.sha} of {checkpoint.repo_id} was withdrawn{when}:"
        f" {revision.state_reason.rstrip('.')}. See {_page(checkpoint)}"
    )
    return Decision(
        checkpoint=checkpoint, revision=revision, code=Refusal.WITHDRAWN, message=message
    )


def no_file(checkpoint: Checkpoint, revision: Revision, repo_id: str, path: str) -> Decision:
    return Decision(
        checkpoint=checkpoint,
        revision=revision,
        missing=Missing.ENTRY,
        message=f"{repo_id} has no file {path} in revision {revision.sha}",
    )
