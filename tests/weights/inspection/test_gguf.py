"""GGUF headers are parsed strictly, and their tensors counted."""

import random
import struct

import pytest

from tests.weights.inspection.bytes_source import BytesSource
from tests.weights.inspection.gguf_files import METADATA, TENSORS, GgufTensor, gguf
from weights.inspection import inspect_file
from weights.inspection.formats import gguf_file
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.verdict import Refused, Verdict

pytestmark = pytest.mark.one_database


def inspected(content: bytes) -> Verdict:
    return inspect_file.inspect(BytesSource(content), "gguf", allowed())


@pytest.mark.parametrize("version", [2, 3])
def test_a_whole_file_is_counted_by_type_and_describes_its_architecture(version: int) -> None:
    verdict = inspected(gguf(version=version))
    assert (verdict.kind, verdict.outcome, verdict.tensors) == ("GGUF", "inspected", 3)
    assert verdict.elements == {"F16": 8192, "Q4_0": 512, "F32": 32}
    assert verdict.metadata == {
        "vocab_size": 3,
        "architecture": "llama",
        "block_count": 2,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "embedding_length": 64,
        "context_length": 2048,
    }


def test_the_header_lists_names_shapes_and_sizes() -> None:
    header = gguf_file.read_header(BytesSource(gguf()))
    listed = [(one.name, one.dtype, one.shape, one.size) for one in header.tensors]
    assert listed[1] == ("blk.0.attn_q.weight", "Q4_0", [64, 8], 288)


def test_a_file_with_a_chat_template_is_code() -> None:
    verdict = inspected(gguf(METADATA | {"tokenizer.chat_template": "{{ 1 }}" * 99}))
    assert (verdict.kind, verdict.outcome) == (gguf_file.WITH_TEMPLATE, "code")
    assert verdict.elements["F16"] == 8192


HUGE = struct.pack("<Q", 2**64 - 1)
HOSTILE = {
    "version 1": gguf(version=1),
    "big endian": gguf(version=3 << 24),
    "cut off": gguf()[:-1],
    "cut in the header": gguf()[:60],
    "bytes behind": gguf() + bytes(64),
    "gap": gguf(gap=32),
    "unknown type": gguf(tensors=[GgufTensor("a", (32,), 99, 128)]),
    "removed type": gguf(tensors=[GgufTensor("a", (32,), 4, 128)]),
    "broken block": gguf(tensors=[GgufTensor("a", (33,), 2, 18)]),
    "block without a shape": gguf(tensors=[GgufTensor("a", (), 2, 0)]),
    "five dimensions": gguf(tensors=[GgufTensor("a", (1, 1, 1, 1, 1), 0, 4)]),
    "two of a name": gguf(tensors=[TENSORS[2], TENSORS[2]]),
    "overflowing shape": gguf(tensors=[GgufTensor("a", (2**63, 2**63), 0, 0)]),
    "no tensors but data": gguf(tensors=[]) + bytes(64),
    "alignment of 3": gguf({"general.alignment": 3}),
    "alignment of 0": gguf({"general.alignment": 0}),
    "alignment as text": gguf({"general.alignment": "32"}),
    "many tensors": b"GGUF" + struct.pack("<I", 3) + HUGE + bytes(8),
    "many pairs": b"GGUF" + struct.pack("<IQ", 3, 0) + HUGE,
    "long key": b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + HUGE,
    "a key twice": b"GGUF"
    + struct.pack("<IQQ", 3, 0, 2)
    + 2 * (b"\1" + bytes(7) + b"a" + bytes(5)),
    "long array": b"GGUF"
    + struct.pack("<IQQ", 3, 0, 1)
    + struct.pack("<Q", 1)
    + b"a"
    + struct.pack("<II", 9, 0)
    + HUGE,
    "array of arrays": b"GGUF"
    + struct.pack("<IQQ", 3, 0, 1)
    + struct.pack("<Q", 1)
    + b"a"
    + struct.pack("<IIQ", 9, 9, 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_damaged_header_is_not_inspected_and_counts_nothing(name: str) -> None:
    verdict = inspected(HOSTILE[name])
    assert (verdict.kind, verdict.outcome, verdict.elements) == ("GGUF", "not_inspected", {})
    assert "header cannot be read" in verdict.reason


def test_no_changed_byte_raises_anything_else() -> None:
    content, choose = gguf(), random.Random(7)
    for _ in range(2000):
        changed = bytearray(content)
        for _ in range(choose.randint(1, 4)):
            changed[choose.randrange(500)] = choose.randrange(256)
        try:
            header = gguf_file.read_header(BytesSource(bytes(changed)))
        except Refused:
            continue
        assert sum(tensor.size for tensor in header.tensors) <= len(content)
