"""Inspects a file by the family of its name and by its content.

Some loaders choose by name, so the name determines what a file must be: a `.safetensors` must
always parse; a file of the pickle family must parse if it begins like a zip or a pickle, and must
not be a tar archive or compressed. Other loaders ignore names, so `content/` finds what they would
run in any file. Source code is labelled as such, by name or content. Unknown formats are accepted
as "not inspected".
"""

from dataclasses import asdict, replace
from typing import Any

from weights.inspection.content import compression, detection, tar_archive, text, zip_archive
from weights.inspection.content.parts import Part
from weights.inspection.families import (
    CODE,
    FORMATS_BY_SUFFIX,
    OTHER,
    PICKLE,
    SAFETENSORS,
    family_of,
)
from weights.inspection.formats import (
    compressed,
    gguf_file,
    pickle_detection,
    safetensors_file,
    tar_file,
    torch_legacy,
    torch_zip,
)
from weights.inspection.formats.allowed import Allowed, allowed
from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.source import CachedSource, Source, UnpackedSource
from weights.inspection.formats.verdict import Refused, Verdict

MAX_TEXT_BYTES = 256 * 1024 * 1024
#: Maximum levels of nested archives to open; pandas opens a `.tar.gz`, which has two.
_MAX_DEPTH = 3
_NO_PARSER = "nothing here can look into this format"
#: Formats of which only the first bytes are known.
_SIGNATURES = ((b"GGUF", gguf_file.KIND), (b"GGML", "GGML"), (b"PAR1", "Parquet"))
#: Formats that loaders unpack before they unpickle.
_PACKED = {zip_archive.KIND, tar_archive.KIND, *compression.KINDS}


def inspect(source: Source, family: str, allowed_imports: Allowed) -> Verdict:
    """The verdict on a file of this family; a refusal is a verdict too."""
    findings = Findings(allowed_imports)
    try:
        verdict = _parse(source, family, findings)
    except Refused as refused:
        reason = "; ".join([*findings.reasons(), str(refused)])
        return Verdict(presumed_kind(family), "refused", reason, findings.imports)
    if reasons := findings.reasons():
        reason, imports = "; ".join(reasons), findings.imports
        return Verdict(presumed_kind(family), "refused", reason, imports, read_to_end=True)
    complete = verdict.outcome == "inspected"
    return replace(verdict, imports=findings.imports, read_to_end=complete)


def inspect_as_json(source: Source, family: str, extra: list[str]) -> dict[str, Any]:
    """The verdict as plain values, for the child process; `extra` imports are allowed too."""
    return asdict(inspect(CachedSource(source), family, allowed(extra)))


def presumed_kind(family: str) -> str:
    """The kind of a refused file, from its name."""
    kinds = {SAFETENSORS: safetensors_file.KIND, PICKLE: "PyTorch or pickle", CODE: text.CODE}
    return kinds.get(family) or FORMATS_BY_SUFFIX.get(family, "unknown")


# -- one file or part ---------------------------------------------------------------------


def _parse(source: Source, family: str, findings: Findings, depth: int = 0) -> Verdict:
    if family == PICKLE:
        return _pickle(source, findings, depth)
    found = _identify(source, findings, depth)
    if family == SAFETENSORS:
        if found is not None:
            raise Refused(f"it is of another format as well ({found.kind})")
        return safetensors_file.inspect(source, findings)
    if kind := text.program_kind(source.read(0, 8)):
        return Verdict(kind, "code")
    if family == CODE:
        return Verdict(text.CODE, "code")
    return found or _unrecognised(source, FORMATS_BY_SUFFIX.get(family, ""), findings)


def _identify(source: Source, findings: Findings, depth: int) -> Verdict | None:
    def inspect_part(part: Part) -> Verdict:
        family = family_of(part.name)
        known = family if family in {PICKLE, CODE} else OTHER
        return _parse(part.source, known, findings, depth + 1)

    return detection.identify(source, findings, inspect_part if depth < _MAX_DEPTH else None)


def _pickle(source: Source, findings: Findings, depth: int) -> Verdict:
    head = text.head_of(source)
    if tar_file.is_tar(head):
        raise Refused("it is a tar archive, whose members `torch.load` unpickles; save it as a zip")
    if torch_zip.is_zip(source):
        if depth:
            raise Refused("it is a zip archive inside of another file; publish it unpacked")
        return torch_zip.inspect(source, findings)
    if head.startswith(torch_legacy.MAGIC):
        return torch_legacy.inspect(source, findings)
    if head.startswith(b"\x80"):
        return detection.bare_pickle(source, findings)
    if compressing := compressed.compression_of(head, is_all=source.size <= len(head)):
        raise Refused(f"it is compressed by {compressing}; publish what is inside, unpacked")
    pickle_detection.refuse_old_pickle(source)
    return _no_pickle(source, findings, depth)


def _no_pickle(source: Source, findings: Findings, depth: int) -> Verdict:
    """The verdict on a file that is named like a pickle but does not begin like one."""
    found = _identify(source, findings, depth)
    if found is not None and found.kind in _PACKED:
        raise Refused(f"it is packed ({found.kind}); publish what is inside, unpacked")
    if kind := text.program_kind(source.read(0, 8)):
        return Verdict(kind, "code")
    kind = _signature_kind(source) or "unknown"
    return found or Verdict(kind, "not_inspected", "it begins as no known format")


def _unrecognised(source: Source, named: str, findings: Findings) -> Verdict:
    """The verdict on a file whose content no loader recognises."""
    kind = named or _signature_kind(source)
    if kind == gguf_file.KIND and _signature_kind(source) == kind:
        return gguf_file.inspect(source)
    if kind:
        return Verdict(kind, "not_inspected", _NO_PARSER)
    verdict = text.inspect(source)
    if verdict is None:
        return Verdict("unknown", "not_inspected", _NO_PARSER)
    if MAX_TEXT_BYTES < source.size < UnpackedSource.UNKNOWN:
        findings.fault(f"a text of {source.size} bytes is too large; at most {MAX_TEXT_BYTES}")
    return verdict


def _signature_kind(source: Source) -> str:
    head = source.read(0, 8)
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), "")
