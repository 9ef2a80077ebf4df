"""The content of a compressed file, or a member of an archive, which is inspected like a file."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Verdict


@dataclass(frozen=True)
class Part:
    """`name` is the member's path, empty for the content of a compressed file."""

    source: Source
    name: str = ""


InspectPart = Callable[[Part], Verdict]


def summary(kind: str, verdicts: Iterable[Verdict], *, is_complete: bool) -> Verdict:
    """The verdict on an archive: code if any part is, inspected if all parts are."""
    parts = list(verdicts)
    if any(part.outcome == "code" for part in parts):
        return Verdict(kind, "code", "it holds source code")
    if is_complete and parts and all(part.outcome == "inspected" for part in parts):
        return Verdict(kind, "inspected", tensors=sum(part.tensors or 0 for part in parts))
    return Verdict(kind, "not_inspected", "its members were only searched for pickles")
