"""Exceptions of the accounts app, independent of HTTP."""

from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """The code of an error, in snake case. Clients and scripts rely on it, so none may change.

    Each app has its own subclass; refusals of the gate have another.
    """


class AccountsCode(ErrorCode):
    # Any request.
    BAD_REQUEST = "bad_request"
    LOGIN_REQUIRED = "login_required"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    GONE = "gone"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    RATE_LIMITED = "rate_limited"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"
    READ_ONLY = "read_only"
    COUNTERS_UNAVAILABLE = "counters_unavailable"
    CSRF_FAILED = "csrf_failed"
    # People and applications.
    REFUSED = "refused"
    BAD_TRANSITION = "bad_transition"
    INVALID_ANSWERS = "invalid_answers"
    NOT_ALLOWED = "not_allowed"
    ALREADY_HELD = "already_held"
    LICENCE_CHANGED = "licence_changed"
    LIMIT_REACHED = "limit_reached"
    INVALID_VALUE = "invalid_value"
    CONFIRMATION_REQUIRED = "confirmation_required"
    RECENT_AUTHENTICATION_REQUIRED = "recent_authentication_required"
    SECOND_PERSON_REQUIRED = "second_person_required"
    TIER_RETIRED = "tier_retired"


class DomainError(Exception):
    """An error with a stable `code`; the message says what to do next."""

    code: ErrorCode = AccountsCode.REFUSED


class AccountsError(DomainError):
    """An error of the accounts domain."""


class TransitionRefused(AccountsError):
    """The current state of the record does not allow the action."""

    code = AccountsCode.BAD_TRANSITION


class StaleAnswers(TransitionRefused):
    """Another window changed the answers since this one loaded them; nothing was saved."""


class InvalidAnswers(AccountsError):
    """Answers are missing or invalid; `form` is the bound form with the errors of each field."""

    code = AccountsCode.INVALID_ANSWERS

    def __init__(self, form: Any) -> None:
        super().__init__("some answers are missing or wrong; correct them, then submit again")
        self.form = form


class NotAllowed(AccountsError):
    """The person lacks the permission."""

    code: ErrorCode = AccountsCode.NOT_ALLOWED


class AlreadyHeld(AccountsError):
    """The result already exists, such as a live grant, an open application or a username."""

    code = AccountsCode.ALREADY_HELD


class LicenceChanged(AccountsError):
    """The accepted licence text is not the version in force."""

    code = AccountsCode.LICENCE_CHANGED


class LimitReached(AccountsError):
    """The person exceeded a limit on a rate or on open items.

    `wait` is the number of seconds until a retry can succeed; None if waiting does not help.
    """

    code = AccountsCode.LIMIT_REACHED

    def __init__(self, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class TierRetired(AccountsError):
    """The tier is retired: it takes no new checkpoints, applications or grants."""

    code = AccountsCode.TIER_RETIRED


class InvalidValue(AccountsError):
    """A value is invalid; the message says what is allowed."""

    code = AccountsCode.INVALID_VALUE


class Unreadable(AccountsError):
    """This process lacks the key with which a stored secret was encrypted."""


class ConfirmationRequired(AccountsError):
    """The approval leaves `points` open, such as an unanswered question, and must be confirmed."""

    code = AccountsCode.CONFIRMATION_REQUIRED

    def __init__(self, points: list[str]) -> None:
        super().__init__(f"confirm that you approve with open points: {'; '.join(points)}")
        self.points = points


class NotFound(AccountsError):
    """The record does not exist, or is already in the requested state."""

    code = AccountsCode.NOT_FOUND


class RecentAuthenticationRequired(DomainError):
    """The act requires a recent password, passkey or code, or a token created with one.

    Not an AccountsError, so that no page shows it as an ordinary error: middleware redirects
    to the re-authentication page, and both APIs respond with its code.
    """

    code = AccountsCode.RECENT_AUTHENTICATION_REQUIRED
