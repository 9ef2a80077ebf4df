"""Identifies the formats that loaders find in a file's content; a file may have several."""

import io

from weights.inspection.content import (
    compression,
    hdf5,
    numpy_array,
    tar_archive,
    text,
    zip_archive,
)
from weights.inspection.content.parts import InspectPart
from weights.inspection.formats import pickle_detection, pickles, torch_legacy
from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.source import Source, SourceStream, UnpackedSource
from weights.inspection.formats.verdict import Refused, Verdict

#: Worst first.
_ORDER = ("code", "not_inspected", "inspected")


def identify(
    source: Source, findings: Findings, inspect_part: InspectPart | None
) -> Verdict | None:
    """The worst verdict among the formats found in the content; None if it has no known format.

    Raises Refused if a loader would run something. Opens no parts without `inspect_part`.
    """
    found = [
        pickle_of_any_protocol(source, findings),
        numpy_array.inspect(source),
        hdf5.inspect(source),
    ]
    if inspect_part is not None:
        found += [
            zip_archive.inspect(source, findings, inspect_part),
            tar_archive.inspect(source, inspect_part),
            compression.inspect(source, inspect_part),
        ]
    recognised = [verdict for verdict in found if verdict is not None]
    return min(recognised, key=lambda verdict: _ORDER.index(verdict.outcome), default=None)


def pickle_of_any_protocol(source: Source, findings: Findings) -> Verdict | None:
    """The verdict on a pickle that imports something; None for other files."""
    head = text.head_of(source)
    if head.startswith(torch_legacy.MAGIC):
        return torch_legacy.inspect(source, findings)
    if not pickle_detection.is_executed(source, is_text=text.is_text(head, source.size)):
        return None
    if not head.startswith(b"\x80"):
        raise Refused("its pickle is older than protocol 2")
    return bare_pickle(source, findings)


def bare_pickle(source: Source, findings: Findings) -> Verdict:
    """The verdict on a file that is a single pickle; raises Refused for any other file."""
    if pickles.MAX_BYTES < source.size < UnpackedSource.UNKNOWN:
        raise Refused(f"its pickle has {source.size} bytes; at most {pickles.MAX_BYTES} are read")
    stream = io.BufferedReader(SourceStream(source, 0, source.size), 1 << 16)
    pickles.read_pickle(stream, findings)
    return Verdict("pickle", "inspected")
