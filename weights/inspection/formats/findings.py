"""What is met while a file is read: what its pickles import, and what refuses it at the end.

Who is asked to let a refused file pass has to see all that it imports, so a name that is not
allowed ends nothing: reading goes on, and the file is refused once all is known.
"""

from weights.inspection.formats.allowed import Allowed
from weights.inspection.formats.verdict import Refused

#: Imports that are kept, and characters of each. What has more of them was not seen whole.
IMPORTS_MOST, NAME_MOST = 500, 200


class Findings:
    """Of one file; `imports` in the order in which they were met, each once."""

    def __init__(self, allowed: Allowed) -> None:
        self._allowed = allowed
        self._imports: dict[str, None] = {}
        self._not_allowed: dict[str, None] = {}
        self._faults: dict[str, None] = {}

    @property
    def imports(self) -> list[str]:
        return list(self._imports)

    def imported(self, module: str, name: str) -> None:
        """Note an import; raises Refused where it could not be told whole."""
        told = f"{module}.{name}"
        if len(told) > NAME_MOST:
            raise Refused(f"its pickle imports a name of more than {NAME_MOST} characters")
        if told not in self._imports and len(self._imports) == IMPORTS_MOST:
            raise Refused(f"its pickle imports more than {IMPORTS_MOST} names")
        self._imports[told] = None
        if (module, name) not in self._allowed:
            self._not_allowed[told] = None

    def fault(self, sentence: str) -> None:
        """Note what refuses the file and keeps nobody from reading on."""
        self._faults[sentence] = None

    def reasons(self) -> list[str]:
        """Why the file is refused though it was read to its end; empty if it is not."""
        return [*self._not_on_the_list(), *self._faults]

    def _not_on_the_list(self) -> list[str]:
        if not self._not_allowed:
            return []
        first, *more = self._not_allowed
        others = f" and {len(more)} more, which are" if more else ", which is"
        return [f"its pickle imports {first}{others} not on the list"]
