"""What an inspection comes to."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: Raised whenever the rules change: files that an older version passed are looked at again.
VERSION = 3

Outcome = Literal["inspected", "not_inspected", "refused"]


class Refused(Exception):
    """Ends an inspection before the end of the file, with a sentence that says what is wrong."""


@dataclass(frozen=True)
class Verdict:
    """What one look at a file, as one family of names, found.

    `kind` names the format in plain words; `imports` are the names that its pickles import, all
    of them if the file was `read_to_end`: if nothing of it that a loader runs was left unread.
    """

    kind: str
    outcome: Outcome
    reason: str = ""
    imports: list[str] = field(default_factory=list)
    tensors: int | None = None
    read_to_end: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)
