"""PyTorch's layout before zip: five pickles, one after the other, then the tensors as raw bytes.

The pickles are read by the same rules; the rest is not understood here, so the best that such
a file can be is "not inspected".
"""

import io

from weights.inspection import pickles
from weights.inspection.pickles import Allowed, Walk
from weights.inspection.source import Source, Window
from weights.inspection.verdict import Verdict

KIND = "PyTorch, older than zip"
MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_PICKLES = 5


def inspect(source: Source, allowed: Allowed) -> Verdict:
    """Raise Refused if one of the pickles would be refused alone."""
    stream = io.BufferedReader(Window(source, 0, min(source.size, pickles.MOST)), 1 << 16)
    imports: list[str] = []
    for _ in range(_PICKLES):
        walk = Walk(stream, allowed)
        walk.to_its_end()
        imports += [name for name in walk.imports if name not in imports]
    reason = "its pickles import only what is allowed; the tensors behind them were not read"
    return Verdict(KIND, "not_inspected", reason, imports=imports)
