"""What an inspection comes to."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

#: Raised whenever the rules change: files that an older version passed are looked at again.
VERSION = 2

Outcome = Literal["inspected", "not_inspected", "refused"]


class Refused(Exception):
    """Ends an inspection with a sentence that says what is wrong; `imports` as far as known."""

    def __init__(self, reason: str, imports: list[str] | None = None) -> None:
        super().__init__(reason)
        self.imports = imports or []


@dataclass(frozen=True)
class Verdict:
    """What one look at a file, as one family of names, found.

    `kind` names the format in plain words; `imports` are the names that its pickle imports.
    """

    kind: str
    outcome: Outcome
    reason: str = ""
    imports: list[str] = field(default_factory=list)
    tensors: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)
