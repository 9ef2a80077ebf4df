"""The parser of safetensors files, which refuses ambiguous headers."""

import json
import math
import os
import struct
from collections.abc import Callable, Iterable
from typing import Any

from weights.inspection.formats.import_check import Findings
from weights.inspection.formats.source import Source, read_exactly
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "safetensors"
MAX_HEADER_BYTES = 25_000_000
_MAX_NAME_LENGTH = 1024
_FIELDS = {"dtype", "shape", "data_offsets"}
#: Bits of one element.
_BITS = {
    **{"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "U8": 8, "I8": 8},
    **{"F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8},
    **{"U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32},
    **{"U64": 64, "I64": 64, "F64": 64, "C64": 64},
}


def inspect(source: Source, findings: Findings) -> Verdict:
    """Raise Refused unless the header is complete, unambiguous and covers the file exactly."""
    raw = _raw_header(source)
    tensors = _header(raw)
    _check_names(tensors, findings)
    _validate_coverage(tensors, source.size - 8 - len(raw))
    _open_with_library(raw, source.size)
    elements: dict[str, int] = {}
    for tensor in tensors.values():
        dtype = tensor["dtype"]
        elements[dtype] = elements.get(dtype, 0) + math.prod(tensor["shape"])
    return Verdict(KIND, "inspected", tensors=len(tensors), elements=elements)


def read_header(source: Source) -> tuple[dict[str, Any], int]:
    """The tensors by name, each with dtype, shape and data_offsets, and the header's size.

    Raises Refused if the header is damaged.
    """
    raw = _raw_header(source)
    return _header(raw), 8 + len(raw)


def _raw_header(source: Source) -> bytes:
    (length,) = struct.unpack("<Q", read_exactly(source, 0, 8, "the header's length"))
    if length > MAX_HEADER_BYTES:
        raise Refused(f"its header has {length} bytes; at most {MAX_HEADER_BYTES} are read")
    return read_exactly(source, 8, length, "the header")


def _header(raw: bytes) -> dict[str, Any]:
    """The tensors by name; the metadata is validated and left out."""
    if not raw.startswith(b"{"):
        raise Refused("its header does not begin with a brace")
    try:
        header = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_reject_constant,
            parse_float=_reject_constant,
        )
    except (ValueError, RecursionError) as error:
        raise Refused(f"its header is no JSON: {error}") from error
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise Refused("its metadata is no mapping of texts to texts")
    for name, tensor in header.items():
        _validate_tensor(name, tensor)
    return dict(header)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise Refused("its header has a name twice")
    return unique


def _reject_constant(text: str) -> None:
    raise Refused(f"its header holds {text[:40]}, where only whole numbers may stand")


def _check_names(tensors: Iterable[str], findings: Findings) -> None:
    """Records a fault for the first invalid name, which does not prevent reading the tensors."""
    for name in tensors:
        if not name or len(name) > _MAX_NAME_LENGTH or not name.isprintable():
            problem = "is empty, too long or not printable"
        elif "/" in name or "\\" in name or name in {".", ".."}:
            problem = "reads as a path"
        else:
            continue
        findings.fault(f"the tensor name {name[:80]!r} {problem}")
        return


def _validate_tensor(name: str, tensor: Any) -> None:
    """Requires exactly the three fields, with valid and consistent values."""
    if not isinstance(tensor, dict) or set(tensor) != _FIELDS:
        raise Refused(f"the tensor {name!r} has other fields than dtype, shape and data_offsets")
    dtype, shape, offsets = tensor["dtype"], tensor["shape"], tensor["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise Refused(f"the tensor {name!r} has the unknown type {str(dtype)[:40]!r}")
    if not _is_sizes(shape) or not _is_sizes(offsets) or len(offsets) != 2:
        raise Refused(f"shape or offsets of the tensor {name!r} are no whole numbers")
    if math.prod(shape) * _BITS[dtype] != (offsets[1] - offsets[0]) * 8:
        raise Refused(f"shape and offsets of the tensor {name!r} do not agree")


def _is_sizes(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 64
        and all(type(one) is int and 0 <= one < 2**63 for one in value)
    )


def _validate_coverage(tensors: dict[str, Any], size: int) -> None:
    """Requires that the tensors cover all bytes after the header, without gap or overlap."""
    at = 0
    for begin, end in sorted(tuple(tensor["data_offsets"]) for tensor in tensors.values()):
        if begin != at:
            raise Refused("its tensors overlap or leave a gap")
        at = end
    if at != size:
        raise Refused(f"its tensors take {at} bytes, but {size} follow the header")


def _open_with_library(raw: bytes, size: int) -> None:
    """Opens a sparse file with this header and size in the library; raises Refused if it fails."""
    safe_open = library()
    descriptor = os.memfd_create("header")
    try:
        os.pwrite(descriptor, struct.pack("<Q", len(raw)) + raw, 0)
        os.ftruncate(descriptor, size)
        with safe_open(f"/proc/self/fd/{descriptor}", framework="numpy") as opened:
            opened.keys()
    except MemoryError:
        raise
    except Exception as error:
        raise Refused(f"the safetensors library refuses it: {error}") from error
    finally:
        os.close(descriptor)


def library() -> Callable[..., Any]:
    """safetensors.safe_open, imported by the child process only."""
    from safetensors import safe_open  # noqa: PLC0415

    return safe_open
