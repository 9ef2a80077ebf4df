"""Which inspector looks at a file: by the family of its name first, then by its first bytes.

The name decides what a loader will take a file for, so it decides what it has to be: a
`.safetensors` must always parse, and a name of the pickle family must parse if the bytes begin
as a zip or a pickle, and may be neither a tar archive nor compressed. What nothing here
understands is kept and said to be not inspected.
"""

import io
from dataclasses import replace

from weights.inspection.formats import (
    compressed,
    old_pickles,
    pickles,
    safetensors_file,
    tar_file,
    torch_legacy,
    torch_zip,
)
from weights.inspection.formats.allowed import Allowed
from weights.inspection.formats.findings import Findings
from weights.inspection.formats.source import Source, Window
from weights.inspection.formats.verdict import Refused, Verdict

#: Names that are looked at in the same way: `safetensors`, `pickle`, the suffix of a format that
#: nothing here can look into, or `other`.
SAFETENSORS, PICKLE, OTHER = "safetensors", "pickle", "other"
#: Characters of a family's name at most.
FAMILY_MOST = 16

_PICKLE_NAMES = {
    *("pt", "pth", "th", "ptl", "ckpt", "bin", "pkl", "pickle", "p", "dill", "joblib", "sav"),
}
#: Endings behind that of a pickle, from which loaders conclude how to unpack it, or nothing:
#: `model.pth.tar` is what `torch.save` writes. `bin` alone says too little to be looked for there.
_PACKED_NAMES = {"gz", "bz2", "xz", "lzma", "lz4", "zst", "z", "zip", "tar"}
#: Bytes of a text at most.
TEXT_MOST = 256 * 1024 * 1024
#: First bytes by which a text is told from other files.
HEAD = 64 * 1024
_SIGNATURES = (
    (b"GGUF", "GGUF"),
    (b"GGML", "GGML"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy array"),
    (b"PK\3\4", "zip archive"),
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
)
_OPAQUE_NAMES = {
    "gguf": "GGUF",
    "onnx": "ONNX",
    "h5": "HDF5",
    "hdf5": "HDF5",
    "msgpack": "MessagePack",
    "npy": "NumPy array",
    "npz": "NumPy archive",
    "tflite": "TensorFlow Lite",
    "pb": "Protocol buffers",
    "model": "SentencePiece",
}


def family(path: str) -> str:
    """What loaders take a file of this name for."""
    # A file may be called `.bin`; and Windows drops dots and blanks at a name's end.
    _, *endings = path.rpartition("/")[2].lower().rstrip(". ").split(".")
    suffix = endings[-1] if endings else ""
    if suffix == SAFETENSORS or suffix in _OPAQUE_NAMES:
        return suffix
    if suffix in _PICKLE_NAMES:
        return PICKLE
    while endings and endings[-1] in _PACKED_NAMES:
        endings.pop()
    return PICKLE if endings and endings[-1] in _PICKLE_NAMES - {"bin"} else OTHER


def is_parsed(family: str) -> bool:
    """Whether a file of this family is given to a parser, so to a child process."""
    return family in {SAFETENSORS, PICKLE}


def inspect(source: Source, family: str, allowed: Allowed) -> Verdict:
    """What a file of this family is; a refusal is a verdict too."""
    findings = Findings(allowed)
    kind = _KINDS.get(family, "text")
    try:
        found = _look(source, family, findings)
    except Refused as refused:
        why = "; ".join([*findings.reasons(), str(refused)])
        return Verdict(kind, "refused", why, findings.imports)
    if reasons := findings.reasons():
        why = "; ".join(reasons)
        return Verdict(kind, "refused", why, findings.imports, read_to_end=True)
    read = found.outcome == "inspected"
    return replace(found, imports=findings.imports, read_to_end=read)


_KINDS = {SAFETENSORS: safetensors_file.KIND, PICKLE: "PyTorch or pickle"}


def _look(source: Source, family: str, findings: Findings) -> Verdict:
    if family == SAFETENSORS:
        return safetensors_file.inspect(source, findings)
    if family == PICKLE:
        return _pickle(source, findings)
    return _other(source, _OPAQUE_NAMES.get(family, ""), findings)


def _pickle(source: Source, findings: Findings) -> Verdict:
    head = source.read(0, HEAD)
    if tar_file.is_tar(head):
        raise Refused("it is a tar archive, whose members `torch.load` unpickles; save it as a zip")
    if torch_zip.is_zip(source):
        return torch_zip.inspect(source, findings)
    if head.startswith(torch_legacy.MAGIC):
        return torch_legacy.inspect(source, findings)
    if head.startswith(b"\x80"):
        return _bare_pickle(source, findings)
    if packed_by := compressed.packed_by(head, is_all=source.size <= HEAD):
        raise Refused(f"it is compressed by {packed_by}; publish what is inside, unpacked")
    old_pickles.demand_none(source)
    return Verdict(_signed(head) or "unknown", "not_inspected", "it begins as no known format")


def _bare_pickle(source: Source, findings: Findings) -> Verdict:
    if source.size > pickles.MOST:
        raise Refused(f"its pickle has {source.size} bytes; at most {pickles.MOST} are read")
    pickles.one_stream(io.BufferedReader(Window(source, 0, source.size), 1 << 16), findings)
    return Verdict("pickle", "inspected")


def _other(source: Source, named: str, findings: Findings) -> Verdict:
    head = source.read(0, HEAD)
    known = named or _signed(head)
    if known or not _is_text(head):
        return Verdict(
            known or "unknown", "not_inspected", "nothing here can look into this format"
        )
    if source.size > TEXT_MOST:
        findings.fault(f"a text of {source.size} bytes is too large; at most {TEXT_MOST}")
    return Verdict("text", "inspected")


def _signed(head: bytes) -> str:
    return next((kind for signature, kind in _SIGNATURES if head.startswith(signature)), "")


def _is_text(head: bytes) -> bool:
    """Whether it is UTF-8 without NUL; the last character may be cut off."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(head) == HEAD and error.start >= HEAD - 3
    return True
