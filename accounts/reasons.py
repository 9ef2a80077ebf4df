"""The reasons that staff give for what they do."""

from accounts.errors import DomainError, InvalidValue

#: Characters.
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
    """The reason without surrounding blanks; raises `error` if it is too short or long."""
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST:
        raise error(f"{ask} {LEAST} to {MOST} characters; {readers}")
    return reason
