"""Reasons that staff give for what they do to bytes by hand: how long, and who reads them."""

from accounts.errors import InvalidValue

#: Characters.
LEAST, MOST = 5, 500
PUBLIC = "everybody reads it"
INTERNAL = "staff and auditors read it"


def stated(reason: str, readers: str) -> str:
    """The reason without blanks around it; raises InvalidValue where it is too short or long."""
    reason = reason.strip()
    if not LEAST <= len(reason) <= MOST:
        raise InvalidValue(f"say why in {LEAST} to {MOST} characters; {readers}")
    return reason
