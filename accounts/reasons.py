"""The reasons that staff give for what they do."""

from accounts.errors import DomainError, InvalidValue

#: Minimum and maximum characters.
LEAST, MOST = 5, 500
#: The readers of a reason, for forms and errors.
PUBLIC = "public"
INTERNAL = "staff and auditors read it"


def checked(
    reason: str,
    readers: str,
    *,
    ask: str = "say why in",
    error: type[DomainError] = InvalidValue,
) -> str:
    """Return the stripped reason. Raises `error` if it is too short or too long."""
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST:
        raise error(f"{ask} {LEAST} to {MOST} characters; {readers}")
    return reason
