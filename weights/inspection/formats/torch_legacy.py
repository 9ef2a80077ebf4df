"""PyTorch's layout before zip: five pickles, followed by the tensors as raw bytes.

Only the pickles can be read, so the best outcome for such a file is "not inspected".
"""

import io

from weights.inspection.formats import pickles
from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.pickles import PickleReader
from weights.inspection.formats.source import Source, SourceStream
from weights.inspection.formats.verdict import Verdict

KIND = "PyTorch, older than zip"
MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
_PICKLES = 5


def inspect(source: Source, findings: Findings) -> Verdict:
    """Records the imports of all pickles; raises Refused if one cannot be read."""
    stream = io.BufferedReader(
        SourceStream(source, 0, min(source.size, pickles.MAX_BYTES)), 1 << 16
    )
    for _ in range(_PICKLES):
        PickleReader(stream, findings).read()
    reason = "its pickles import only what is allowed; the tensors behind them were not read"
    return Verdict(KIND, "not_inspected", reason)
