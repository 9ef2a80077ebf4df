"""The result of an inspection."""

from dataclasses import dataclass, field
from typing import Any, Literal

#: Increase this with every change of the rules; files are then inspected again.
VERSION = 6

#: `code` is a program, which does whatever its author wants where it is run.
Outcome = Literal["inspected", "not_inspected", "code", "refused"]


class Refused(Exception):
    """Aborts an inspection before the end of the file; the message is the reason."""


@dataclass(frozen=True)
class Verdict:
    """The result for a file, for one family of names.

    `kind` is the format's name; `imports` are the names that its pickles import. They are complete
    if `read_to_end`, that is, if everything that a loader would execute was read.
    """

    kind: str
    outcome: Outcome
    reason: str = ""
    imports: list[str] = field(default_factory=list)
    tensors: int | None = None
    #: Elements of the tensors by dtype; empty if they were not counted.
    elements: dict[str, int] = field(default_factory=dict)
    #: The architecture that a GGUF file states.
    metadata: dict[str, Any] = field(default_factory=dict)
    read_to_end: bool = False
