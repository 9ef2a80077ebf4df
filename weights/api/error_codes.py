"""The stable error codes of the API: status, title and remedy of each."""

from typing import NamedTuple

from weights.gate.refusals import Refusal


class ErrorCode(NamedTuple):
    """The usual status, a short title, and what the caller can do."""

    status: int
    title: str
    remedy: str


ERROR_CODES: dict[str, ErrorCode] = {
    # Refusals of the gate.
    Refusal.LOGIN_REQUIRED: ErrorCode(401, "A token is needed", "Send a token of yours."),
    Refusal.TOKEN_INVALID: ErrorCode(
        401, "The token is not valid", "Send a token of yours, whole."
    ),
    Refusal.TOKEN_EXPIRED: ErrorCode(401, "The token has expired", "Make a new token."),
    Refusal.TOKEN_SCOPE: ErrorCode(403, "The token may not do this", "Make one with the scope."),
    Refusal.NO_APPLICATION: ErrorCode(403, "You hold no access", "Apply for access."),
    Refusal.IN_REVIEW: ErrorCode(403, "Your application is in review", "Wait for the answer."),
    Refusal.RETURNED: ErrorCode(403, "Your application was returned", "Answer it, submit again."),
    Refusal.REJECTED: ErrorCode(403, "Your application was rejected", "Read why."),
    Refusal.LICENCE_OUTDATED: ErrorCode(403, "The licence has changed", "Accept the new text."),
    Refusal.GRANT_EXPIRED: ErrorCode(403, "Your access has ended", "Apply again."),
    Refusal.SUSPENDED: ErrorCode(403, "Your access is on hold", "Confirm your address; see why."),
    Refusal.REVOKED: ErrorCode(403, "Your access was revoked", "See why on your access page."),
    Refusal.QUOTA: ErrorCode(429, "Today's limit is reached", "Try again tomorrow."),
    Refusal.EMBARGOED: ErrorCode(403, "Not released yet", "Wait for the release."),
    Refusal.FILE_UNVERIFIED: ErrorCode(403, "Not verified yet", "Try again in a minute."),
    Refusal.FILE_QUARANTINED: ErrorCode(403, "The file failed a check", "Don't use the file."),
    Refusal.LINK_EXPIRED: ErrorCode(410, "The link has expired", "Ask for a new one."),
    Refusal.LINK_REVOKED: ErrorCode(410, "The link was revoked", "Ask for a new one."),
    Refusal.NOT_PUBLISHED: ErrorCode(404, "Not published here", "See the checkpoint's page."),
    Refusal.WITHDRAWN: ErrorCode(410, "The revision was withdrawn", "Use a later revision."),
    # Names that fit nothing.
    "repository_not_found": ErrorCode(404, "No such checkpoint", "See the list of checkpoints."),
    "revision_not_found": ErrorCode(404, "No such revision", "See the list of revisions."),
    "entry_not_found": ErrorCode(404, "No such file", "See the list of files."),
    "file_unknown": ErrorCode(404, "No file from here", "Compare the hash with the manifest's."),
    "tier_not_found": ErrorCode(404, "No such tier", "A checkpoint names its tier."),
    "application_not_found": ErrorCode(404, "No such application", "See the list of yours."),
    "grant_not_found": ErrorCode(404, "No such grant", "See the list of yours."),
    "document_not_found": ErrorCode(404, "No such document", "See those of your application."),
    "remark_not_found": ErrorCode(404, "No such remark", "See those of your application."),
    "link_not_found": ErrorCode(404, "No such link", "See the list of yours."),
    "head_not_found": ErrorCode(404, "No such head", "See the list of signed heads."),
    "row_not_found": ErrorCode(404, "No such row of yours", "See the list of yours."),
    "no_proof_yet": ErrorCode(
        409, "No head over it yet", "Ask again in an hour; a head is signed by then."
    ),
    "code_not_found": ErrorCode(404, "No such code", "See the list of codes."),
    "not_found": ErrorCode(404, "No such address", "See the documentation."),
    # People and applications.
    "bad_transition": ErrorCode(409, "Not possible from this state", "Read the state again."),
    "already_held": ErrorCode(409, "You have that already", "See your grants and applications."),
    "licence_changed": ErrorCode(409, "The licence has changed", "Read and accept the new text."),
    "limit_reached": ErrorCode(429, "A limit is reached", "Finish what is open; try tomorrow."),
    "not_allowed": ErrorCode(403, "You may not do that", "Ask whoever may."),
    "invalid_answers": ErrorCode(422, "Some answers are missing or wrong", "Correct the fields."),
    "invalid_value": ErrorCode(422, "A value is outside its bounds", "Correct the value."),
    "bad_lifetime": ErrorCode(422, "A life outside its bounds", "Ask for a shorter one."),
    # Requests.
    "invalid_request": ErrorCode(422, "The request does not fit its schema", "Correct the fields."),
    "bad_request": ErrorCode(400, "The request cannot be read", "See the documentation."),
    "body_not_utf8": ErrorCode(400, "The body is not UTF-8", "Send UTF-8."),
    "body_not_json": ErrorCode(400, "The body is not JSON", "Send JSON, without NaN or Infinity."),
    "body_too_deep": ErrorCode(400, "The body is nested too deeply", "At most 32 levels."),
    "body_too_long": ErrorCode(400, "The body holds too many values", "At most 1000."),
    "body_too_large": ErrorCode(413, "The body is too large", "At most 1 MiB; a PDF 10."),
    "unsupported_media_type": ErrorCode(
        415, "Not the type asked for", "Send application/json, or a PDF."
    ),
    "forbidden": ErrorCode(403, "You may not do that", "See the documentation."),
    "method_not_allowed": ErrorCode(405, "No such method here", "See the header Allow."),
    "rate_limited": ErrorCode(429, "Too many requests", "Wait as Retry-After says."),
    "internal_error": ErrorCode(500, "Something failed on our side", "Try again in a moment."),
    "unavailable": ErrorCode(503, "Not available right now", "Try again as Retry-After says."),
}

#: Codes of errors that have none of their own, by status.
DEFAULT_CODES: dict[int, str] = {
    400: "bad_request",
    401: "login_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
    500: "internal_error",
    503: "unavailable",
}
