"""The stable error codes of the API: status, title and remedy of each."""

from typing import NamedTuple

from accounts.errors import AccountsCode, ErrorCode
from accounts.web.error_pages import ERRORS
from weights.errors import WeightsCode
from weights.gate.refusals import Refusal


class Explanation(NamedTuple):
    """The usual status, a short title, and what the caller can do."""

    status: int
    title: str
    remedy: str


ERROR_CODES: dict[str, Explanation] = {
    # Refusals of the gate.
    Refusal.LOGIN_REQUIRED: Explanation(401, "A token is required", "Send one of your tokens."),
    Refusal.TOKEN_INVALID: Explanation(401, "The token is not valid", "Send the complete token."),
    Refusal.TOKEN_EXPIRED: Explanation(401, "The token has expired", "Create a new token."),
    Refusal.HUGGING_FACE_TOKEN: Explanation(
        401, "This is a Hugging Face token", "Create a token of this portal."
    ),
    Refusal.TOKEN_SCOPE: Explanation(
        403, "The token lacks the scope", "Create a token with the scope."
    ),
    Refusal.NO_APPLICATION: Explanation(403, "You do not have access", "Apply for access."),
    Refusal.TIER_RETIRED: Explanation(
        403, "The tier is retired and gives no new access", "Use a checkpoint of another tier."
    ),
    Refusal.IN_REVIEW: Explanation(403, "Your application is in review", "Wait for the answer."),
    Refusal.RETURNED: Explanation(
        403, "Your application was returned", "Make the changes and resubmit."
    ),
    Refusal.REJECTED: Explanation(403, "Your application was rejected", "Read the reasons."),
    Refusal.LICENCE_OUTDATED: Explanation(403, "The licence has changed", "Accept the new text."),
    Refusal.GRANT_EXPIRED: Explanation(403, "Your access has ended", "Apply again."),
    Refusal.SUSPENDED: Explanation(
        403, "Your access is on hold", "Confirm your address or see why."
    ),
    Refusal.REVOKED: Explanation(403, "Your access was revoked", "See why on your access page."),
    Refusal.QUOTA: Explanation(429, "Today's limit is reached", "Try again tomorrow."),
    Refusal.EMBARGOED: Explanation(403, "Not released yet", "Wait for the release."),
    Refusal.FILE_UNVERIFIED: Explanation(403, "Not verified yet", "Try again in a minute."),
    Refusal.FILE_QUARANTINED: Explanation(403, "The file is quarantined", "Don't use the file."),
    Refusal.LINK_EXPIRED: Explanation(410, "The link has expired", "Ask for a new one."),
    Refusal.LINK_REVOKED: Explanation(410, "The link was revoked", "Ask for a new one."),
    Refusal.NOT_PUBLISHED: Explanation(404, "Not published here", "See the checkpoint's page."),
    Refusal.WITHDRAWN: Explanation(410, "The revision was withdrawn", "Use a later revision."),
    # Publishing.
    WeightsCode.PUBLISH_REFUSED: Explanation(
        409, "The draft cannot be published", "Commit what the message asks for."
    ),
    WeightsCode.FINDINGS_REFUSED: Explanation(
        409, "The list of files has errors", "Correct it, or accept the findings."
    ),
    WeightsCode.BRANCH_MOVED: Explanation(
        412, "The branch has moved", "Fetch it and commit again."
    ),
    # Names that do not exist.
    WeightsCode.REPOSITORY_NOT_FOUND: Explanation(
        404, "No such checkpoint", "See the list of checkpoints."
    ),
    WeightsCode.REVISION_NOT_FOUND: Explanation(
        404, "No such revision", "See the list of revisions."
    ),
    WeightsCode.ENTRY_NOT_FOUND: Explanation(404, "No such file", "See the list of files."),
    WeightsCode.FILE_UNKNOWN: Explanation(
        404, "No file with this hash", "Check the hash against the manifest."
    ),
    WeightsCode.TIER_NOT_FOUND: Explanation(
        404, "No such tier", "See the checkpoint for its tier."
    ),
    WeightsCode.APPLICATION_NOT_FOUND: Explanation(404, "No such application", "See your list."),
    WeightsCode.GRANT_NOT_FOUND: Explanation(404, "No such grant", "See your list."),
    WeightsCode.DOCUMENT_NOT_FOUND: Explanation(404, "No such document", "See your application."),
    WeightsCode.REMARK_NOT_FOUND: Explanation(404, "No such remark", "See your application."),
    WeightsCode.LINK_NOT_FOUND: Explanation(404, "No such link", "See your list."),
    WeightsCode.HEAD_NOT_FOUND: Explanation(404, "No such head", "See the list of signed heads."),
    WeightsCode.ROW_NOT_FOUND: Explanation(404, "You have no such row", "See your list."),
    WeightsCode.NO_PROOF_YET: Explanation(
        409, "No signed head covers it yet", "Try again in an hour."
    ),
    WeightsCode.CODE_NOT_FOUND: Explanation(404, "No such code", "See the list of codes."),
    AccountsCode.NOT_FOUND: Explanation(404, "No such URL", "See the documentation."),
    # People and applications.
    AccountsCode.BAD_TRANSITION: Explanation(
        409, "Not possible in this state", "Reload the current state."
    ),
    AccountsCode.ALREADY_HELD: Explanation(
        409, "You already have this", "See your grants and applications."
    ),
    AccountsCode.LICENCE_CHANGED: Explanation(
        409, "The licence has changed", "Read and accept the new text."
    ),
    AccountsCode.LIMIT_REACHED: Explanation(
        429, "You have reached a limit", "Finish open items or try tomorrow."
    ),
    AccountsCode.NOT_ALLOWED: Explanation(
        403, "You may not do this", "Ask someone with permission."
    ),
    AccountsCode.RECENT_AUTHENTICATION_REQUIRED: Explanation(
        403, "A recent sign-in is required", "Replace the token after signing in."
    ),
    AccountsCode.SECOND_PERSON_REQUIRED: Explanation(
        403, "A second person must confirm", "Ask one of them to open the request."
    ),
    AccountsCode.INVALID_ANSWERS: Explanation(
        422, "Some answers are missing or wrong", "Correct the fields."
    ),
    AccountsCode.INVALID_VALUE: Explanation(422, "A value is out of range", "Correct the value."),
    AccountsCode.CONFIRMATION_REQUIRED: Explanation(
        409, "The approval leaves points open", "Read them, then confirm."
    ),
    WeightsCode.BAD_LIFETIME: Explanation(
        422, "The lifetime is out of range", "Request a shorter one."
    ),
    # Requests.
    WeightsCode.INVALID_REQUEST: Explanation(
        422, "The request does not match the schema", "Correct the fields."
    ),
    AccountsCode.BAD_REQUEST: Explanation(
        400, "The request cannot be read", "See the documentation."
    ),
    WeightsCode.BODY_NOT_UTF8: Explanation(400, "The body is not UTF-8", "Send UTF-8."),
    WeightsCode.BODY_NOT_JSON: Explanation(
        400, "The body is not JSON", "Send JSON, without NaN or Infinity."
    ),
    WeightsCode.BODY_TOO_DEEP: Explanation(
        400, "The body is nested too deeply", "At most 32 levels."
    ),
    WeightsCode.BODY_TOO_LONG: Explanation(
        400, "The body contains too many values", "At most 1000."
    ),
    AccountsCode.BODY_TOO_LARGE: Explanation(
        413, "The body is too large", "At most 1 MiB, or 10 MiB for a PDF."
    ),
    AccountsCode.UNSUPPORTED_MEDIA_TYPE: Explanation(
        415, "Unsupported content type", "Send application/json, or a PDF."
    ),
    AccountsCode.FORBIDDEN: Explanation(403, "You may not do this", "See the documentation."),
    AccountsCode.METHOD_NOT_ALLOWED: Explanation(
        405, "Method not allowed", "See the Allow header."
    ),
    AccountsCode.RATE_LIMITED: Explanation(
        429, "Too many requests", "Wait for Retry-After seconds."
    ),
    AccountsCode.INTERNAL_ERROR: Explanation(
        500, "An error occurred on our side", "Try again in a moment."
    ),
    AccountsCode.UNAVAILABLE: Explanation(
        503, "Temporarily unavailable", "Retry after Retry-After seconds."
    ),
    AccountsCode.READ_ONLY: Explanation(
        503, "The portal is in read-only mode", "Retry after Retry-After seconds."
    ),
    AccountsCode.COUNTERS_UNAVAILABLE: Explanation(
        503,
        "Attempts cannot be counted: Redis or Valkey does not answer",
        "Retry after Retry-After seconds; operators look at the health page.",
    ),
}

#: status -> the code of an error without a specific one.
DEFAULT_CODES: dict[int, ErrorCode] = {
    status: code for status, (_, _, code, _) in ERRORS.items() if code in ERROR_CODES
}
