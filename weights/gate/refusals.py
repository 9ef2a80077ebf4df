"""Why the gate refuses: the stable codes, their HTTP statuses and their sentences."""

from django.conf import settings

from accounts.errors import AccountsCode, ErrorCode
from weights.errors import WeightsCode
from weights.storage.transition_table import QuarantineCause

#: The Hub's client recognises an invalid token by this exact text (docs/requirements.md, GT-8).
INVALID_CREDENTIALS = "Invalid credentials in Authorization header"


class Refusal(ErrorCode):
    """Stable code of a refusal (docs/clients.md#what-a-refusal-means), also in the ledger."""

    LOGIN_REQUIRED = AccountsCode.LOGIN_REQUIRED
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a code, not a secret
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    HUGGING_FACE_TOKEN = "hugging_face_token"  # noqa: S105
    TOKEN_SCOPE = "token_scope"  # noqa: S105
    NO_APPLICATION = "no_application"
    TIER_RETIRED = AccountsCode.TIER_RETIRED
    IN_REVIEW = "in_review"
    RETURNED = "returned"
    REJECTED = "rejected"
    LICENCE_OUTDATED = "licence_outdated"
    GRANT_EXPIRED = "grant_expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"
    QUOTA = "quota"
    EMBARGOED = "embargoed"
    FILE_UNVERIFIED = "file_unverified"
    FILE_QUARANTINED = "file_quarantined"
    LINK_EXPIRED = "link_expired"
    LINK_REVOKED = "link_revoked"
    NOT_PUBLISHED = "not_published"
    WITHDRAWN = "withdrawn"


class Missing(ErrorCode):
    """The kind of name that does not exist."""

    REPOSITORY = "repository"
    REVISION = "revision"
    ENTRY = "entry"


#: Refusals of the credential itself, which apply to open checkpoints too.
OF_CREDENTIAL = frozenset(
    {
        Refusal.TOKEN_INVALID,
        Refusal.TOKEN_EXPIRED,
        Refusal.HUGGING_FACE_TOKEN,
        Refusal.LINK_EXPIRED,
        Refusal.LINK_REVOKED,
    }
)
#: All other refusals are 403, and missing names are 404.
_STATUS = {
    Refusal.LOGIN_REQUIRED: 401,
    Refusal.TOKEN_INVALID: 401,
    Refusal.TOKEN_EXPIRED: 401,
    Refusal.HUGGING_FACE_TOKEN: 401,
    Refusal.NOT_PUBLISHED: 404,
    Refusal.LINK_EXPIRED: 410,
    Refusal.LINK_REVOKED: 410,
    Refusal.WITHDRAWN: 410,
    Refusal.QUOTA: 429,
}
_SENTENCES: dict[Refusal | Missing, str] = {
    Refusal.TOKEN_INVALID: INVALID_CREDENTIALS,
    Refusal.TOKEN_EXPIRED: INVALID_CREDENTIALS,
    Refusal.HUGGING_FACE_TOKEN: (
        "This is a Hugging Face token; create one at {portal}/settings/tokens/"
    ),
    Refusal.LINK_EXPIRED: "this link has expired; open it in a browser to get a new one",
    Refusal.LINK_REVOKED: "this link was revoked; request a new one at {portal}/access/",
    Missing.REPOSITORY: "there is no checkpoint {repo} on this portal",
    Refusal.NOT_PUBLISHED: (
        "{repo} is in the catalogue, but its weights are not published here. See {portal}/{repo}"
    ),
    Refusal.EMBARGOED: "{repo} is not released yet.",
    Refusal.LOGIN_REQUIRED: (
        "Access to {repo} needs an approved application. Sign in with a token, or apply at"
        " {portal}/apply/{tier}/"
    ),
    Refusal.SUSPENDED: (
        "Your access to {repo} is on hold: confirm your e-mail address, or see {portal}/access/"
    ),
    Refusal.TOKEN_SCOPE: (
        "This token may not read gated checkpoints such as {repo}. Create one with the scope"
        " read-gated at {portal}/settings/tokens/"
    ),
    Refusal.NO_APPLICATION: "You do not have access to {repo} yet. Apply at {portal}/apply/{tier}/",
    Refusal.TIER_RETIRED: (
        "You do not have access to {repo}, and its tier is retired: it gives no new access."
        " See {portal}/tiers/{tier}/"
    ),
    Refusal.IN_REVIEW: (
        "Your application for {repo} is being reviewed. Follow it at {portal}/applications/"
    ),
    Refusal.RETURNED: (
        "Your application for {repo} was returned for changes. Answer at {portal}/applications/"
    ),
    Refusal.REJECTED: (
        "Your application for {repo} was rejected. Read why at {portal}/applications/"
    ),
    Refusal.GRANT_EXPIRED: (
        "Your access to {repo} has ended. Apply again at {portal}/apply/{tier}/"
    ),
    Refusal.REVOKED: "Your access to {repo} was revoked. See {portal}/access/",
    Refusal.LICENCE_OUTDATED: (
        "The licence of {repo} has changed. Accept the new text at {portal}/apply/{tier}/"
    ),
    Missing.REVISION: "{repo} has no revision {revision}",
    Refusal.WITHDRAWN: (
        "Revision {sha} of {repo} was withdrawn{when}: {reason}. See {portal}/{repo}"
    ),
    Missing.ENTRY: "{repo} has no file {path} in revision {sha}",
    Refusal.FILE_UNVERIFIED: (
        "This file of {repo} is still being verified. Try again later; see {portal}/{repo}"
    ),
    Refusal.FILE_QUARANTINED: "This file of {repo} is quarantined. See {portal}/{repo}",
}
_QUARANTINED: dict[str, str] = {
    QuarantineCause.DAMAGED: (
        "This file of {repo} is damaged on this portal and is not served: its bytes do not match"
        " their SHA-256, or are lost. See {portal}/{repo}"
    ),
    QuarantineCause.REFUSED: (
        "This file of {repo} was refused by inspection and is not served: loading it could run"
        " code. See {portal}/{repo}"
    ),
    QuarantineCause.MANUAL: (
        "This file of {repo} was quarantined by a release owner and is not served."
        " See {portal}/{repo}"
    ),
}
_FIRST_VERIFICATION = (
    "The files of {repo} are being verified; try again in a minute. See {portal}/{repo}"
)


def status_of(refusal: Refusal | Missing) -> int:
    """The HTTP status of a refusal or of a missing name."""
    return 404 if isinstance(refusal, Missing) else _STATUS.get(refusal, 403)


def error_code(refusal: ErrorCode) -> ErrorCode:
    """The code in a response: a refusal's own, and `<name>_not_found` for a missing name."""
    return WeightsCode(f"{refusal}_not_found") if isinstance(refusal, Missing) else refusal


def sentence(
    refusal: Refusal | Missing, *, published: bool = True, cause: str = "", **names: str
) -> str:
    """The reason and the URL of the next step, for a person or a log.

    `cause` is that of a quarantined file. `names` are the sentence's placeholders: `repo`, `tier`
    (its slug), `revision` as requested, `sha`, `path`, `when` and `reason`. Raises KeyError for a
    missing one.
    """
    if refusal is Refusal.FILE_QUARANTINED:
        text = _QUARANTINED.get(cause, _SENTENCES[refusal])
    elif refusal is Refusal.FILE_UNVERIFIED and not published:
        text = _FIRST_VERIFICATION
    else:
        text = _SENTENCES[refusal]
    return text.format(portal=settings.PUBLIC_URL, **names)
