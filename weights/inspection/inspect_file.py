"""Chooses the parser of a file by the family of its name, then by its first bytes.

Loaders choose by name, so the name determines what a file must be: a `.safetensors` must always
parse; a file of the pickle family must parse if it begins as a zip or a pickle, and may be
neither a tar archive nor compressed. Unknown formats are accepted as "not inspected".
"""

import io
from dataclasses import asdict, replace
from typing import Any

from weights.inspection.families import FORMATS_WITHOUT_PARSER, PICKLE, SAFETENSORS
from weights.inspection.formats import (
    compressed,
    old_pickles,
    pickles,
    safetensors_file,
    tar_file,
    torch_legacy,
    torch_zip,
)
from weights.inspection.formats.allowed import Allowed, allowed
from weights.inspection.formats.findings import Findings
from weights.inspection.formats.source import CachedSource, Source, SourceStream
from weights.inspection.formats.verdict import Refused, Verdict

MAX_TEXT_BYTES = 256 * 1024 * 1024
#: Bytes read to tell text from binary data.
HEAD_BYTES = 64 * 1024
_SIGNATURES = (
    (b"GGUF", "GGUF"),
    (b"GGML", "GGML"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy array"),
    (b"PK\3\4", "zip archive"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
)


def inspect(source: Source, family: str, allowed_imports: Allowed) -> Verdict:
    """The verdict on a file of this family; a refusal is a verdict too."""
    findings = Findings(allowed_imports)
    kind = _KINDS.get(family, "text")
    try:
        verdict = _parse(source, family, findings)
    except Refused as refused:
        reason = "; ".join([*findings.reasons(), str(refused)])
        return Verdict(kind, "refused", reason, findings.imports)
    if reasons := findings.reasons():
        return Verdict(kind, "refused", "; ".join(reasons), findings.imports, read_to_end=True)
    complete = verdict.outcome == "inspected"
    return replace(verdict, imports=findings.imports, read_to_end=complete)


def inspect_as_json(source: Source, family: str, extra: list[str]) -> dict[str, Any]:
    """The verdict as plain values, for the child process; `extra` imports are allowed too."""
    return asdict(inspect(CachedSource(source), family, allowed(extra)))


_KINDS = {SAFETENSORS: safetensors_file.KIND, PICKLE: "PyTorch or pickle"}


def _parse(source: Source, family: str, findings: Findings) -> Verdict:
    if family == SAFETENSORS:
        return safetensors_file.inspect(source, findings)
    if family == PICKLE:
        return _pickle(source, findings)
    return _other(source, FORMATS_WITHOUT_PARSER.get(family, ""), findings)


def _pickle(source: Source, findings: Findings) -> Verdict:
    head = source.read(0, HEAD_BYTES)
    if tar_file.is_tar(head):
        raise Refused("it is a tar archive, whose members `torch.load` unpickles; save it as a zip")
    if torch_zip.is_zip(source):
        return torch_zip.inspect(source, findings)
    if head.startswith(torch_legacy.MAGIC):
        return torch_legacy.inspect(source, findings)
    if head.startswith(b"\x80"):
        return _bare_pickle(source, findings)
    if compression := compressed.compression_of(head, is_all=source.size <= HEAD_BYTES):
        raise Refused(f"it is compressed by {compression}; publish what is inside, unpacked")
    old_pickles.refuse_old_pickle(source)
    return Verdict(
        _signature_kind(head) or "unknown", "not_inspected", "it begins as no known format"
    )


def _bare_pickle(source: Source, findings: Findings) -> Verdict:
    if source.size > pickles.MAX_BYTES:
        raise Refused(f"its pickle has {source.size} bytes; at most {pickles.MAX_BYTES} are read")
    pickles.read_pickle(io.BufferedReader(SourceStream(source, 0, source.size), 1 << 16), findings)
    return Verdict("pickle", "inspected")


def _other(source: Source, named: str, findings: Findings) -> Verdict:
    head = source.read(0, HEAD_BYTES)
    kind = named or _signature_kind(head)
    if kind or not _is_text(head):
        return Verdict(kind or "unknown", "not_inspected", "nothing here can look into this format")
    if source.size > MAX_TEXT_BYTES:
        findings.fault(f"a text of {source.size} bytes is too large; at most {MAX_TEXT_BYTES}")
    return Verdict("text", "inspected")


def _signature_kind(head: bytes) -> str:
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), "")


def _is_text(head: bytes) -> bool:
    """True if the bytes are UTF-8 without NUL; the last character may be truncated."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.start >= HEAD_BYTES - 3
    return True
