"""Write GGUF files for tests."""

import struct
from typing import Any, NamedTuple

_STRING, _UINT32, _ARRAY = 8, 4, 9


class GgufTensor(NamedTuple):
    name: str
    shape: tuple[int, ...]
    type: int
    size: int


#: 8192 elements of F16, 512 of Q4_0 and 32 of F32.
TENSORS = [
    GgufTensor("token_embd.weight", (64, 128), 1, 16384),
    GgufTensor("blk.0.attn_q.weight", (64, 8), 2, 288),
    GgufTensor("output_norm.weight", (32,), 0, 128),
]
METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.embedding_length": 64,
    "llama.context_length": 2048,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
}


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def value(item: Any) -> bytes:
    if isinstance(item, str):
        return struct.pack("<I", _STRING) + text(item)
    if isinstance(item, list):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(item)) + b"".join(map(text, item))
    return struct.pack("<II", _UINT32, item)


def gguf(
    metadata: dict[str, Any] | None = None,
    tensors: list[GgufTensor] | None = None,
    *,
    version: int = 3,
    gap: int = 0,
) -> bytes:
    """A whole file; `gap` bytes stand before the second tensor."""
    pairs = METADATA if metadata is None else metadata
    chosen = TENSORS if tensors is None else tensors
    header = b"GGUF" + struct.pack("<IQQ", version, len(chosen), len(pairs))
    header += b"".join(text(key) + value(item) for key, item in pairs.items())
    data = b""
    for number, tensor in enumerate(chosen):
        data += bytes(-len(data) % 32 + (gap if number == 1 else 0))
        header += text(tensor.name) + struct.pack("<I", len(tensor.shape))
        header += b"".join(struct.pack("<Q", side) for side in tensor.shape)
        header += struct.pack("<IQ", tensor.type, len(data))
        data += bytes(tensor.size)
    return header + bytes(-len(header) % 32) + data
