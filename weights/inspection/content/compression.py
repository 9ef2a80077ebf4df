"""Detects compressed files, which joblib and pandas unpack and unpickle, by their first bytes.

The signatures of zlib and raw LZMA are short, so they count only if the unpacked content is
recognised. Formats that Python's library cannot unpack are refused, since other packages can:
pandas opens Zstandard, joblib opens LZ4.
"""

import re
from collections.abc import Iterator

from weights.inspection.content import unpacking
from weights.inspection.content.parts import InspectPart, Part
from weights.inspection.content.unpacking import Unpack
from weights.inspection.formats.source import Source, UnpackedSource
from weights.inspection.formats.verdict import Refused, Verdict

_UNSUPPORTED = (
    (re.compile(rb"\x28\xb5\x2f\xfd"), "Zstandard"),
    (re.compile(rb"\x04\x22\x4d\x18"), "LZ4"),
    (re.compile(rb"[\x50-\x5f]\x2a\x4d\x18"), "Zstandard or LZ4"),  # a skippable frame
    (re.compile(rb"LZIP[\0\1]"), "lzip"),
)
_SIGNATURES = (
    (re.compile(rb"\x1f\x8b\x08"), "gzip", unpacking.gzip),
    (re.compile(rb"BZh[1-9]"), "bzip2", unpacking.bzip2),
    (re.compile(rb"\xfd7zXZ\0"), "xz", unpacking.xz),
)
KINDS = {"gzip", "bzip2", "xz", "zlib", "LZMA", "an old joblib"}
#: The head of files from joblib before 0.10: the length in hexadecimal, optionally a space.
_OLD_JOBLIB = re.compile(rb"ZF\s*[+-]?(0x)?[0-9A-Fa-f_]+\s*", re.IGNORECASE)
_OLD_JOBLIB_HEAD = 21
_UNRECOGNISED = {"text", "unknown"}


def inspect(source: Source, inspect_part: InspectPart) -> Verdict | None:
    """The verdict on a compressed file and its content; None if it is not compressed."""
    head = source.read(0, _OLD_JOBLIB_HEAD + 1)
    for signature, name in _UNSUPPORTED:
        if signature.match(head):
            raise Refused(
                f"it is compressed by {name}, which cannot be unpacked here; publish what is"
                " inside, or use gzip"
            )
    for name, unpack, is_certain in _candidates(source, head):
        content = UnpackedSource(unpack)
        if not content.read(0, 1):
            continue
        inner = inspect_part(Part(content))
        if is_certain or inner.kind not in _UNRECOGNISED:
            reason = f"{inner.kind} inside; {inner.reason}" if inner.reason else inner.kind
            return Verdict(name, "code" if inner.outcome == "code" else "not_inspected", reason)
    return None


def _candidates(source: Source, head: bytes) -> Iterator[tuple[str, Unpack, bool]]:
    """Yields a format's name, how to unpack it, and whether its signature is conclusive."""
    for signature, name, unpack in _SIGNATURES:
        if signature.match(head):
            yield name, unpack(source), True
            return
    if head.startswith(b"\x78"):
        yield "zlib", unpacking.zlib_stream(source), False
    if _OLD_JOBLIB.fullmatch(head[:_OLD_JOBLIB_HEAD]):
        start = _OLD_JOBLIB_HEAD + (head[_OLD_JOBLIB_HEAD:] == b" ")
        yield "an old joblib", unpacking.zlib_stream(source, start), False
    if len(head) > 13 and head[0] < 225:
        yield "LZMA", unpacking.lzma_alone(source), False
