"""The decision of the gate: a file and a grant, or a refusal."""

from dataclasses import dataclass

from accounts.errors import ErrorCode
from accounts.grants.models import Grant
from weights.catalogue.models import Checkpoint
from weights.errors import GateRefused
from weights.gate.caller import ANONYMOUS, Caller
from weights.gate.refusals import Missing, Refusal, error_code, sentence, status_of
from weights.publishing.models import File, Revision


@dataclass(frozen=True)
class Decision:
    """The file and the grant that opens it, or the reason of a refusal.

    `message` is a sentence with the next step and its address. `caller` is the caller as the
    gate looked them up.
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
        """The HTTP status of a refusal; 200 when allowed."""
        refusal = self.code or self.missing
        return 200 if refusal is None else status_of(refusal)

    @property
    def error_code(self) -> ErrorCode | None:
        """The code in the response to a refusal; None when allowed."""
        refusal = self.code or self.missing
        return None if refusal is None else error_code(refusal)

    def demand_allowed(self) -> None:
        """Raise GateRefused with the code and the message of a refusal."""
        if refusal := self.code or self.missing:
            raise GateRefused(refusal, self.message)

    def demand_published(self, name: str) -> None:
        """Raise GateRefused also for a draft, to which no link leads; `name` as requested."""
        self.demand_allowed()
        if self.revision is not None and self.revision.visible_at is None:
            repo_id = str(self.checkpoint)
            message = sentence(Missing.REVISION, repo=repo_id, revision=name)
            raise GateRefused(Missing.REVISION, message)


def withdrawn(checkpoint: Checkpoint, revision: Revision, caller: Caller = ANONYMOUS) -> Decision:
    """The refusal of a withdrawn revision, with the day and the publisher's reason."""
    day = revision.withdrawn_at
    message = sentence(
        Refusal.WITHDRAWN,
        repo=checkpoint.repo_id,
        sha=revision.sha,
        when=f" on {day:%Y-%m-%d}" if day else "",
        reason=revision.state_reason.rstrip("."),
    )
    return Decision(checkpoint, revision, code=Refusal.WITHDRAWN, message=message, caller=caller)
