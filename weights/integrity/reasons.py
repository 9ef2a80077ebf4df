"""Validates the reasons that staff give for quarantines and withdrawals."""

from accounts.errors import InvalidValue

#: Characters.
LEAST, MOST = 5, 500
#: Who reads a reason, for forms and errors.
PUBLIC = "public"
INTERNAL = "staff and auditors read it"


def checked(reason: str, readers: str) -> str:
    """The stripped reason; raises InvalidValue if it is too short or too long."""
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST:
        raise InvalidValue(f"say why in {LEAST} to {MOST} characters; {readers}")
    return reason
