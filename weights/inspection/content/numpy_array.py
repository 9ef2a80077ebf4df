"""NumPy arrays (`.npy`): numbers, unless the dtype has Python objects, which are pickled."""

import ast
import math
import struct
from typing import Any

from weights.inspection.formats.source import Source, UnpackedSource, read_exactly
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "NumPy array"
MAGIC = b"\x93NUMPY"
#: numpy has the same limit, unless it may unpickle.
MAX_HEADER_BYTES = 10_000
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}
_FIELDS = {"descr", "fortran_order", "shape"}


def inspect(source: Source) -> Verdict | None:
    """The verdict on an array; None if the file does not begin like one."""
    if source.read(0, len(MAGIC)) != MAGIC:
        return None
    header, start = _header(source)
    dtype = _dtype(header["descr"])
    if dtype.hasobject:
        raise Refused("it is an array of Python objects, which `numpy.load` unpickles")
    shape = header["shape"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise Refused("the shape of its array is no tuple of whole numbers")
    size = start + math.prod(shape) * dtype.itemsize
    if source.size not in {size, UnpackedSource.UNKNOWN}:
        raise Refused("the size of its array is another than its header says")
    return Verdict(KIND, "inspected", tensors=1)


def _header(source: Source) -> tuple[dict[str, Any], int]:
    """The header's fields, and the offset of the content."""
    at = len(MAGIC) + 2
    form = _LENGTHS.get(read_exactly(source, at - 2, 1, "the version")[0])
    if form is None:
        raise Refused("its array has an unknown version")
    (length,) = struct.unpack(form, read_exactly(source, at, struct.calcsize(form), "the length"))
    at += struct.calcsize(form)
    if length > MAX_HEADER_BYTES:
        raise Refused(f"its array's header has {length} bytes; at most {MAX_HEADER_BYTES} are read")
    raw = read_exactly(source, at, length, "its array's header")
    try:
        header = ast.literal_eval(raw.decode("utf-8" if form == "<I" else "latin-1"))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError) as error:
        raise Refused("its array's header cannot be read") from error
    if not isinstance(header, dict) or set(header) != _FIELDS:
        raise Refused("its array's header has other fields than numpy writes")
    return header, at + length


def _dtype(described: Any) -> Any:
    from numpy.lib.format import descr_to_dtype  # noqa: PLC0415  # the child imports it before

    try:
        return descr_to_dtype(described)
    except (ValueError, TypeError, SyntaxError, KeyError, IndexError, AttributeError) as error:
        raise Refused("its array has an unknown type") from error
