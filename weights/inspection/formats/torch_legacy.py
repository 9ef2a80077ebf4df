"""PyTorch's layout before zip: five pickles, one after the other, then the tensors as raw bytes.

The pickles are read by the same rules; the rest is not understood here, so the best that such
a file can be is "not inspected".
"""

import io

from weights.inspection.formats import pickles
from weights.inspection.formats.findings import Findings
from weights.inspection.formats.pickles import Walk
from weights.inspection.formats.source import Source, Window
from weights.inspection.formats.verdict import Verdict

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
