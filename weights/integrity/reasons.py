"""The reasons that staff give for quarantines and withdrawals."""

from accounts.errors import InvalidValue

#: Characters.
LEAST, MOST = 5, 500
#: The readers of a reason, for forms and errors.
PUBLIC = "public"
INTERNAL = "staff and auditors read it"


def checked(reason: str, readers: str) -> str:
    """The reason without surrounding blanks; raises InvalidValue if it is too short or long."""
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST:
        raise InvalidValue(f"say why in {LEAST} to {MOST} characters; {readers}")
    return reason
