"""Reproducible pseudo-random float16 weights, as fast as they can be written."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

WIDTH = 2  # bytes of a float16
_BLOCK_VALUES = 1 << 20
_CHUNK_VALUES = 1 << 20
_SPREAD = np.float32(3**0.5 * 0.02)  # makes the standard deviation 0.02
_LOW_BITS = 0x3F  # of a float16's mantissa


@dataclass(frozen=True)
class Tensor:
    """A tensor's name and shape; its values follow from the name."""

    name: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return prod(self.shape)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * WIDTH


class Values:
    """Pseudo-random float16 values, from one block of nearly normal numbers per seed.

    Each tensor starts at its own offset in the block and flips its own low bits, so that files
    differ although the block is drawn once. Only the raw PCG64 stream is used, which numpy
    keeps the same across its versions.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        raw = np.random.PCG64(seed).random_raw(_BLOCK_VALUES)
        quarters = np.asarray(raw).view(np.uint16).reshape(4, _BLOCK_VALUES).astype(np.uint32)
        total = quarters.sum(axis=0, dtype=np.uint32).astype(np.float32)
        bell = (total / np.float32(65536) - np.float32(2)) * _SPREAD
        self._bits: NDArray[np.uint16] = bell.astype(np.float16).view(np.uint16)

    @property
    def note(self) -> str:
        """The statement that every file contains."""
        return f"synthetic weights, random, seed {self.seed}"

    def chunks(self, tensor: Tensor) -> Iterator[bytes]:
        """The tensor's values as little-endian float16, piece by piece."""
        digest = hashlib.sha256(f"{self.seed}:{tensor.name}".encode()).digest()
        start = int.from_bytes(digest[:8], "little") % _BLOCK_VALUES
        mask = np.uint16(int.from_bytes(digest[8:12], "little") & _LOW_BITS)
        left = tensor.count
        while left:
            size = min(_CHUNK_VALUES, left, _BLOCK_VALUES - start)
            bits = self._bits[start : start + size] ^ mask
            if tensor.name.endswith("layer_norm.weight"):  # gains are near one
                bits = (bits.view(np.float16) + np.float16(1)).view(np.uint16)
            yield bits.astype("<u2", copy=False).tobytes()
            left -= size
            start = (start + size) % _BLOCK_VALUES
