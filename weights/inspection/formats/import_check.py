"""The imports and faults that parsers find in a file.

Staff who decide on an override must see all imports, so a forbidden import does not stop the
reading; the file is refused at its end.
"""

from weights.inspection.formats.allowed import Allowed
from weights.inspection.formats.verdict import Refused

#: Maximum imports, and characters of each; a file that exceeds either is refused at once.
MAX_IMPORTS, MAX_NAME_LENGTH = 500, 200


class Findings:
    """The findings of one file; `imports` in order of first occurrence."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._imports: dict[str, None] = {}
        self._not_allowed: dict[str, None] = {}
        self._faults: dict[str, None] = {}
        #: The storages of PyTorch tensors by key: dtype and number of elements.
        self.storages: dict[str, tuple[str, int]] = {}

    @property
    def imports(self) -> list[str]:
        return list(self._imports)

    def imported(self, module: str, name: str) -> None:
        """Records an import; raises Refused if it exceeds the limits."""
        qualified = f"{module}.{name}"
        if len(qualified) > MAX_NAME_LENGTH:
            raise Refused(f"its pickle imports a name of more than {MAX_NAME_LENGTH} characters")
        if qualified not in self._imports and len(self._imports) == MAX_IMPORTS:
            raise Refused(f"its pickle imports more than {MAX_IMPORTS} names")
        self._imports[qualified] = None
        if (module, name) not in self._allowed:
            self._not_allowed[qualified] = None

    def fault(self, sentence: str) -> None:
        """Records a fault for which the file is refused after it is read to its end."""
        self._faults[sentence] = None

    def reasons(self) -> list[str]:
        """The reasons to refuse a file that was read to its end; may be empty."""
        return [*self._forbidden_imports(), *self._faults]

    def _forbidden_imports(self) -> list[str]:
        if not self._not_allowed:
            return []
        first, *more = self._not_allowed
        others = f" and {len(more)} more, which are" if more else ", which is"
        return [f"its pickle imports {first}{others} not on the list"]
