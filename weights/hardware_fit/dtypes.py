"""Number formats of weights: bits per parameter, and the format of computation."""

from collections.abc import Mapping
from enum import StrEnum
from fractions import Fraction

from weights.inspection.formats import gguf_file


class Dtype(StrEnum):
    """A number format for loaded weights; PUBLISHED keeps that of the tensor headers."""

    PUBLISHED = "published"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"
    INT8 = "int8"
    INT4 = "int4"

    @property
    def label(self) -> str:
        return {
            Dtype.PUBLISHED: "as published",
            Dtype.INT8: "int8 (LLM.int8)",
            Dtype.INT4: "int4 (NF4)",
        }.get(self, self.value)

    @property
    def is_quantised(self) -> bool:
        return self in (Dtype.INT8, Dtype.INT4)


#: Bits per parameter. NF4 stores a float32 scale per 64 parameters: half a bit more each
#: (Dettmers et al. 2023, QLoRA, section 3).
BITS = {
    Dtype.FLOAT32: Fraction(32),
    Dtype.BFLOAT16: Fraction(16),
    Dtype.FLOAT16: Fraction(16),
    Dtype.INT8: Fraction(8),
    Dtype.INT4: Fraction(9, 2),
}
#: Bytes per element, by dtype name in safetensors and GGUF headers.
_HEADER_BYTES: dict[str, int | Fraction] = {
    **gguf_file.ELEMENT_BYTES,
    **{"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4},
    **{"F16": 2, "BF16": 2, "I16": 2, "U16": 2},
    **{"I8": 1, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1},
}
_FLOATS = {"F32": Dtype.FLOAT32, "BF16": Dtype.BFLOAT16, "F16": Dtype.FLOAT16}


def header_bytes(counts: Mapping[str, int]) -> int | None:
    """Bytes of tensors, given their elements by dtype; None if empty or a dtype is unknown."""
    if not counts or set(counts) - set(_HEADER_BYTES):
        return None
    return int(sum(_HEADER_BYTES[name] * count for name, count in counts.items()))


def main_dtype(counts: Mapping[str, int]) -> Dtype | None:
    """The floating-point format of most elements; None if most have another dtype."""
    name = max(counts, key=lambda name: counts[name], default="")
    return _FLOATS.get(name)


def weight_bytes(parameters: int, dtype: Dtype) -> int:
    """Bytes of `parameters` in `dtype`, which is not PUBLISHED."""
    return -(-parameters * BITS[dtype].numerator // (8 * BITS[dtype].denominator))
