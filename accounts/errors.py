"""What can go wrong in the accounts domain; none of these know HTTP."""

from typing import Any


class DomainError(Exception):
    """A refusal with a stable code and a sentence that says what to do next."""

    code = "refused"


class AccountsError(DomainError):
    """A refusal of the accounts domain."""


class TransitionRefused(AccountsError):
    """The application or grant is not in a state from which this action leads anywhere."""

    code = "bad_transition"


class StaleAnswers(TransitionRefused):
    """Another window saved the same answers since this one read them; nothing was overwritten."""


class InvalidAnswers(AccountsError):
    """Some answers are missing or wrong; `form` holds what is wrong with each."""

    code = "invalid_answers"

    def __init__(self, form: Any) -> None:
        super().__init__("some answers are missing or wrong; correct them, then submit again")
        self.form = form


class NotAllowed(AccountsError):
    """This person may not do that."""

    code = "not_allowed"


class AlreadyHeld(AccountsError):
    """A live grant or an open application for the tier exists."""

    code = "already_held"


class LicenceChanged(AccountsError):
    """The licence text that was read is not the one in force now."""

    code = "licence_changed"


class LimitReached(AccountsError):
    """More than a person may send in a day or keep open at once.

    `wait` is the seconds after which there is room again, where waiting makes it.
    """

    code = "limit_reached"

    def __init__(self, message: str, *, wait: int | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class InvalidValue(AccountsError):
    """A value outside its bounds; the sentence names the value and the bounds."""

    code = "invalid_value"


class NotFound(AccountsError):
    """There is no such person or request, or it stands where it is asked to go already."""

    code = "not_found"
