"""The filter of a list of files, by name and state, from the query of its URL."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import QueryDict

from accounts.web.sanitize import storable
from weights.inspection.tensor_list import natural_order
from weights.publishing.models import File
from weights.templatetags.weights_format import state_kind

#: Kind of a badge -> its label in the filter.
STATES = {"verified": "Verified", "waiting": "Waiting for a check", "refused": "Quarantined"}
_MAX_LENGTH = 200


@dataclass(frozen=True)
class FileFilter:
    """Words that the path contains, in any case, and a state; an empty filter matches all files."""

    text: str = ""
    state: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> "FileFilter":
        """Reads `q` and `state`; an unknown state matches all files."""
        state = query.get("state", "")
        text = storable(query.get("q", "")).strip()[:_MAX_LENGTH]
        return cls(text, state if state in STATES else "")

    def __bool__(self) -> bool:
        return bool(self.text or self.state)

    @property
    def query(self) -> str:
        """The query of the filter, ending in `&`; empty if none."""
        fields = {"q": self.text, "state": self.state}
        pairs = {name: value for name, value in fields.items() if value}
        return f"{urlencode(pairs)}&" if pairs else ""

    def apply(self, files: Iterable[File], start: int) -> list[File]:
        """The matching files in natural order; names begin at character `start` of a path."""
        words = self.text.casefold().split()
        found = [
            file
            for file in files
            if (not self.state or state_kind(file.blob.state) == self.state)
            and all(word in file.path[start:].casefold() for word in words)
        ]
        return sorted(found, key=lambda file: natural_order(file.path))
