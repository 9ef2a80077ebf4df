"""What the gate answers."""

from dataclasses import dataclass
from enum import StrEnum

from accounts.grants.models import Grant
from weights.catalogue.models import Checkpoint
from weights.gate.caller import ANONYMOUS, Caller, Refusal
from weights.publishing.models import File, Revision


class Missing(StrEnum):
    """What was asked for by a name that leads nowhere."""

    REPOSITORY = "repository"
    REVISION = "revision"
    ENTRY = "entry"


@dataclass(frozen=True)
class Decision:
    """The answer: the file and the grant it rests on, or why not.

    `message` is a sentence with the next step and its address. `caller` is who asked, as
    `decide` found them.
    """

    checkpoint: Checkpoint | None = None
    revision: Revision | None = None
    file: File | None = None
    grant: Grant | None = None
    code: Refusal | None = None
    missing: Missing | None = None
    message: str = ""
    caller: Caller = ANONYMOUS

    @property
    def allowed(self) -> bool:
        return self.code is None and self.missing is None

    @property
    def status(self) -> int:
        """The HTTP status of a refusal (docs/clients.md#what-a-refusal-means); 200 when allowed."""
        if self.allowed:
            return 200
        if self.missing is not None or self.code is Refusal.NOT_PUBLISHED:
            return 404
        return _STATUS.get(self.code or "", 403)


_STATUS: dict[str, int] = {
    Refusal.LOGIN_REQUIRED: 401,
    Refusal.TOKEN_INVALID: 401,
    Refusal.TOKEN_EXPIRED: 401,
    Refusal.QUOTA: 429,
    Refusal.LINK_EXPIRED: 410,
    Refusal.LINK_REVOKED: 410,
    Refusal.WITHDRAWN: 410,
}
