"""PyTorch's layout before zip: five pickles, one after the other, then the tensors as raw bytes.

The pickles are read by the same rules; the rest is not understood here, so the best that such
a file can be is "not inspected".
"""

import io

from weights.inspection import pickles
from weights.inspection.findings import Findings
from weights.inspection.pickles import Walk
from weights.inspection.source import Source, Window
from weights.inspection.verdict import Verdict

KIND = "PyTorch, older than zip"
MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_PICKLES = 5


def inspect(source: Source, findings: Findings) -> Verdict:
    """Raise Refused if one of the pickles cannot be followed."""
    stream = io.BufferedReader(Window(source, 0, min(source.size, pickles.MOST)), 1 << 16)
    for _ in range(_PICKLES):
        Walk(stream, findings).to_its_end()
    reason = "its pickles import only what is allowed; the tensors behind them were not read"
    return Verdict(KIND, "not_inspected", reason)
