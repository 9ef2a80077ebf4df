"""The parser of GGUF headers, versions 2 and 3, as specified by ggml.

Reads only the header: metadata and the tensors' names, types, shapes and offsets. A file whose
header is damaged, or does not cover the file exactly, is "not inspected".
"""

import io
import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from weights.inspection.formats.source import Source, SourceStream
from weights.inspection.formats.verdict import Refused, Verdict

KIND = "GGUF"
WITH_TEMPLATE = "GGUF with a chat template"
MAX_HEADER_BYTES = 128 * 1024 * 1024
_BUFFER_BYTES = 64 * 1024
_MAX_PAIRS, _MAX_TENSORS, _MAX_ITEMS = 10_000, 200_000, 4_000_000
_MAX_KEY_BYTES, _MAX_NAME_BYTES, _MAX_DIMENSIONS = 65_535, 1024, 4
#: Maximum bytes of a text in the result; longer ones, such as templates, are skipped.
_MAX_TEXT = 200
_STRING, _ARRAY = 8, 9
#: Value type -> struct format of a number.
_NUMBERS = {
    **{0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?"},
    **{10: "<Q", 11: "<q", 12: "<d"},
}
#: Tensor type -> name, elements per block, bytes per block.
_TYPES = {
    **{0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20)},
    **{6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 36)},
    **{10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144)},
    **{13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292)},
    **{16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98)},
    **{19: ("IQ1_S", 256, 50), 20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110)},
    **{22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2)},
    **{26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56)},
    **{30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66)},
    39: ("MXFP4", 32, 17),
}
#: Bytes of one element, by type name.
ELEMENT_BYTES = {name: Fraction(size, elements) for name, elements, size in _TYPES.values()}


class Tensor(NamedTuple):
    """A tensor of the header; `offset` counts from the start of the data, all sizes in bytes."""

    name: str
    dtype: str
    shape: list[int]
    size: int
    offset: int


@dataclass(frozen=True)
class Header:
    """Metadata (numbers and short texts, else None), lengths of its arrays, and tensors."""

    metadata: dict[str, Any]
    lengths: dict[str, int]
    tensors: list[Tensor]
    #: Offset of the tensors' data in the file.
    data_start: int


def inspect(source: Source) -> Verdict:
    """The verdict on a file that begins like GGUF, with elements by type and metadata."""
    try:
        header = read_header(source)
    except Refused as error:
        return Verdict(KIND, "not_inspected", f"its header cannot be read: {error}")
    elements: dict[str, int] = {}
    for tensor in header.tensors:
        elements[tensor.dtype] = elements.get(tensor.dtype, 0) + math.prod(tensor.shape)
    counted: dict[str, Any] = {
        "tensors": len(header.tensors),
        "elements": elements,
        "metadata": _architecture(header),
    }
    if any(key.startswith("tokenizer.chat_template") for key in header.metadata):
        return Verdict(WITH_TEMPLATE, "code", "loaders run its chat template", **counted)
    return Verdict(KIND, "inspected", **counted)


def read_header(source: Source) -> Header:
    """The header; raises Refused if it is damaged or its tensors do not cover the file."""
    reader = _Reader(source)
    if reader.take(4) != b"GGUF":
        raise Refused("it does not begin with GGUF")
    version = reader.number("<I")
    if version not in {2, 3}:
        raise Refused(f"it has version {version}; 2 and 3 are read")
    tensor_count = reader.count(_MAX_TENSORS, "tensors")
    pair_count = reader.count(_MAX_PAIRS, "pairs of metadata")
    metadata: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    for _ in range(pair_count):
        key, kind = reader.text(_MAX_KEY_BYTES), reader.number("<I")
        if key in metadata:
            raise Refused("its metadata has a key twice")
        if kind == _ARRAY:
            metadata[key], lengths[key] = None, reader.skip_array()
        else:
            metadata[key] = reader.value(kind)
    tensors = [_tensor(reader) for _ in range(tensor_count)]
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise Refused("two tensors have the same name")
    start = _validate_coverage(tensors, metadata.get("general.alignment", 32), reader.at, source)
    return Header(metadata, lengths, tensors, start)


def _tensor(reader: "_Reader") -> Tensor:
    name = reader.text(_MAX_NAME_BYTES)
    dimensions = reader.number("<I")
    if dimensions > _MAX_DIMENSIONS:
        raise Refused(f"a tensor has {dimensions} dimensions; at most {_MAX_DIMENSIONS} are read")
    shape = [reader.number("<Q") for _ in range(dimensions)]
    number, offset = reader.number("<I"), reader.number("<Q")
    if number not in _TYPES:
        raise Refused(f"a tensor has the unknown type {number}")
    dtype, elements, size = _TYPES[number]
    if (shape or [1])[0] % elements:
        raise Refused(f"a row of a tensor is no multiple of {elements}, the block of {dtype}")
    return Tensor(name, dtype, shape, math.prod(shape) // elements * size, offset)


def _validate_coverage(tensors: list[Tensor], alignment: Any, header: int, source: Source) -> int:
    """Requires that the aligned tensors cover the rest of the file; returns its start."""
    if type(alignment) is not int or not 8 <= alignment <= 1 << 20 or alignment % 8:
        raise Refused("its alignment is no multiple of 8")

    def aligned(size: int) -> int:
        return -(-size // alignment) * alignment

    start, at = aligned(header), 0
    for tensor in sorted(tensors, key=lambda one: (one.offset, one.size)):
        if tensor.offset != at:
            raise Refused("its tensors overlap or leave a gap")
        end, at = at + tensor.size, aligned(at + tensor.size)
    if tensors and not end <= source.size - start <= at:
        raise Refused("its tensors do not cover the file")
    if not tensors and source.size > start:
        raise Refused("data follow a header without tensors")
    return start


def _architecture(header: Header) -> dict[str, Any]:
    """The metadata about the architecture; keys without the architecture's name."""
    name = header.metadata.get("general.architecture")
    if not isinstance(name, str):
        return {}
    found: dict[str, Any] = {"architecture": name}
    for key, value in header.metadata.items():
        if key.startswith(f"{name}.") and type(value) is int and len(found) < 100:
            found[key.removeprefix(f"{name}.")[:_MAX_TEXT]] = value
    tokens = header.lengths.get("tokenizer.ggml.tokens")
    return found if tokens is None else {"vocab_size": tokens, **found}


class _Reader:
    """Reads numbers and texts in order; raises Refused at the end of the file or the limit."""

    def __init__(self, source: Source) -> None:
        self.at = 0
        limit = min(source.size, MAX_HEADER_BYTES)
        self._stream = io.BufferedReader(SourceStream(source, 0, limit), _BUFFER_BYTES)

    def take(self, length: int) -> bytes:
        content = self._stream.read(length)
        if len(content) != length:
            raise Refused(f"it is longer than the file, or than {MAX_HEADER_BYTES} bytes")
        self.at += length
        return content

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def count(self, most: int, label: str) -> int:
        count = int(self.number("<Q"))
        if count > most:
            raise Refused(f"it has {count} {label}; at most {most} are read")
        return count

    def text(self, most: int) -> str:
        try:
            return self.take(self.count(most, "bytes in a name")).decode()
        except UnicodeDecodeError:
            raise Refused("a name is no UTF-8") from None

    def value(self, kind: int) -> Any:
        """A number or a short text; None for a long or binary text."""
        if kind != _STRING:
            return self.number(self._form(kind))
        raw = self.take(self.count(MAX_HEADER_BYTES, "bytes in a text"))
        if len(raw) > _MAX_TEXT:
            return None
        text = raw.decode(errors="replace")
        return text if text.isprintable() else None

    def skip_array(self) -> int:
        """Reads past an array of numbers or texts, and returns its length."""
        kind, length = self.number("<I"), self.count(_MAX_ITEMS, "items in an array")
        if kind == _STRING:
            for _ in range(length):
                self.take(self.count(MAX_HEADER_BYTES, "bytes in a text"))
        else:
            self.take(length * struct.calcsize(self._form(kind)))
        return length

    @staticmethod
    def _form(kind: int) -> str:
        if kind not in _NUMBERS:
            raise Refused(f"its metadata have the unknown type {kind}")
        return _NUMBERS[kind]
