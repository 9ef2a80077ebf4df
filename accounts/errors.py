"""Exceptions of the accounts app, independent of HTTP."""

from typing import Any


class DomainError(Exception):
    """A refusal with a stable `code`; the message says what to do next."""

    code = "refused"


class AccountsError(DomainError):
    """A refusal of the accounts domain."""


class TransitionRefused(AccountsError):
    """The current state of the application, grant or message does not allow the action."""

    code = "bad_transition"


class StaleAnswers(TransitionRefused):
    """Another window changed the answers after this one loaded them; nothing was saved."""


class InvalidAnswers(AccountsError):
    """Answers are missing or invalid; `form` is the bound form with the errors of each field."""

    code = "invalid_answers"

    def __init__(self, form: Any) -> None:
        super().__init__("some answers are missing or wrong; correct them, then submit again")
        self.form = form


class NotAllowed(AccountsError):
    """The person lacks the permission."""

    code = "not_allowed"


class AlreadyHeld(AccountsError):
    """The person already has a live grant or an open application for the tier."""

    code = "already_held"


class LicenceChanged(AccountsError):
    """The accepted licence text is not the version in force."""

    code = "licence_changed"


class LimitReached(AccountsError):
    """The person exceeded a limit for a day, or of open items.

    `wait` is the number of seconds until a retry can succeed, None if waiting does not help.
    """

    code = "limit_reached"

    def __init__(self, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class InvalidValue(AccountsError):
    """An invalid value; the message names the value and its bounds."""

    code = "invalid_value"


class NotFound(AccountsError):
    """The person or request does not exist, or is already in the requested state."""

    code = "not_found"
