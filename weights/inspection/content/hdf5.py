"""Searches HDF5 files, without parsing them, for code that Keras and PyTables would run.

Keras stores a model's configuration in an attribute; PyTables and pandas pickle attributes and
objects. Compressed data and the middle of large files are not searched, so the best verdict is
"not inspected".
"""

import re
from collections.abc import Iterator

from weights.inspection.content import keras_config
from weights.inspection.formats import pickle_detection
from weights.inspection.formats.source import Source, UnpackedSource
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "HDF5"
SIGNATURE = b"\x89HDF\r\n\x1a\n"
#: A user block may precede the signature; HDF5 allows longer ones too.
_OFFSETS = (0, *(512 << n for n in range(7)))
#: Bytes searched at either end of a file that is larger than both.
SEARCHED_BYTES = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_OVERLAP = 16 * 1024
#: The start of a pickle: its protocol, or the import of a name.
_PICKLE = re.compile(rb"\x80[\2-\5]|[ci][A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n")
_MAX_CANDIDATES = 100_000


class _Tail:
    """The bytes of `part` from an offset, as a source."""

    def __init__(self, part: bytes, start: int) -> None:
        self._part, self._start = part, start
        self.size = len(part) - start

    def read(self, start: int, length: int) -> bytes:
        return self._part[self._start + start : self._start + start + length]


def inspect(source: Source) -> Verdict | None:
    """The verdict on an HDF5 file, "not inspected" or refused; None for other files."""
    if not any(source.read(at, len(SIGNATURE)) == SIGNATURE for at in _OFFSETS):
        return None
    candidates = 0
    for part in _searched(source):
        if keras_config.LAMBDA.search(part):
            raise Refused("its Keras configuration holds a Lambda layer, which runs code")
        for found in _PICKLE.finditer(part):
            candidates += 1
            if candidates > _MAX_CANDIDATES:
                raise Refused("it seems to contain too many pickles to check")
            is_behind_mark = found[0][:1] == b"i" and found.start() > 0
            tail = _Tail(part, found.start() - is_behind_mark)
            if pickle_detection.is_executed(tail, is_text=True):
                raise Refused("it holds a pickle, which PyTables and pandas unpickle")
    return Verdict(KIND, "not_inspected", "it was only searched for pickles and Lambda layers")


def _searched(source: Source) -> Iterator[bytes]:
    """Yields the parts to search, which overlap."""
    is_endless = source.size == UnpackedSource.UNKNOWN
    tail = source.size if is_endless else max(SEARCHED_BYTES, source.size - SEARCHED_BYTES)
    for begin, end in ((0, min(SEARCHED_BYTES, source.size)), (tail, source.size)):
        for start in range(begin, end, _CHUNK):
            yield source.read(start, min(_CHUNK + _OVERLAP, end - start))
