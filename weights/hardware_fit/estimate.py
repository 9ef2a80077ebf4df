"""The memory of a decoder during inference, and how it spreads over accelerators.

Pure functions; every size is in bytes. Four terms make up the memory of one accelerator:

- weights: parameters × bits of the dtype / 8;
- key-value cache: 2 × layers × key-value heads × head width × bytes × context × batch;
- activations: context × batch × width × (10 + 24 / t) × bytes / 2, on each of t accelerators.
  This is the memory of one layer in training without attention scores (Korthikanti et al. 2022,
  "Reducing Activation Recomputation in Large Transformer Models", equation 2). Inference keeps one
  layer at a time, fused kernels store no scores, and engines process long prompts in chunks, so
  the term is an upper bound;
- overhead: a tenth of the memory, for the driver's context, communication buffers and
  fragmentation. Inference engines leave this much by default (`--gpu-memory-utilization 0.9` of
  vLLM).
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

USABLE_FRACTION = Fraction(9, 10)
#: Bytes of activations for each token and unit of width, in 16 bits: on every accelerator, and
#: divided among them.
_REPLICATED, _DIVIDED = 10, 24


@dataclass(frozen=True)
class Need:
    """A decoder and its workload: `weights` in bytes, `context` in tokens, `batch` in sequences.

    `number_bytes` is the size of one number in cache and activations.
    """

    weights: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    d_model: int
    number_bytes: int
    context: int
    batch: int

    @property
    def cache(self) -> int:
        """Bytes of the key-value cache on all accelerators, if no head is stored twice."""
        numbers = 2 * self.layers * self.kv_heads * self.head_dim
        return numbers * self.number_bytes * self.context * self.batch

    def activations(self, tensor_parallel: int) -> int:
        """Bytes of activations on each accelerator."""
        factor = _REPLICATED + Fraction(_DIVIDED, tensor_parallel)
        tokens = self.context * self.batch
        return _ceil(tokens * self.d_model * factor * self.number_bytes / 2)

    @property
    def tensor_parallel_sizes(self) -> list[int]:
        """Sizes, ascending, that divide the heads without splitting key-value heads."""
        return [
            size
            for size in range(1, self.heads + 1)
            if self.heads % size == 0 and (self.kv_heads % size == 0 or size % self.kv_heads == 0)
        ]


class Split(StrEnum):
    """How several accelerators share a model."""

    TENSORS = "tensors"
    LAYERS = "layers"


@dataclass(frozen=True)
class Placement:
    """A model on `used` accelerators: total bytes over all of them.

    `fullest` is the memory needed on the fullest accelerator, without overhead; `memory` is the
    memory of one.
    """

    split: Split
    used: int
    weights: int
    cache: int
    activations: int
    fullest: int
    memory: int

    @property
    def usable(self) -> int:
        """Bytes of one accelerator that the model may use."""
        return usable_memory(self.memory)

    @property
    def overhead(self) -> int:
        return self.used * (self.memory - self.usable)

    @property
    def total(self) -> int:
        return self.used * self.memory

    @property
    def needed(self) -> int:
        return self.weights + self.cache + self.activations + self.overhead

    @property
    def free(self) -> int:
        """Bytes left on all accelerators; negative if the model needs more than their memory."""
        return self.total - self.needed

    @property
    def fits(self) -> bool:
        return self.fullest <= self.usable


def usable_memory(memory: int) -> int:
    """Bytes of an accelerator that a model may use."""
    return int(memory * USABLE_FRACTION)


def by_tensors(need: Need, size: int, memory: int) -> Placement:
    """Divide every layer among `size` accelerators, one of the tensor-parallel sizes.

    Each accelerator stores at least one key-value head, so a larger size than their number stores
    copies.
    """
    cache = need.cache * max(size, need.kv_heads) // need.kv_heads
    activations = need.activations(size)
    fullest = _ceil(Fraction(need.weights + cache, size)) + activations
    return Placement(Split.TENSORS, size, need.weights, cache, activations * size, fullest, memory)


def by_layers(need: Need, size: int, memory: int) -> Placement:
    """Spread whole layers over `size` accelerators, at most one per layer."""
    activations = need.activations(1)
    share = Fraction(-(-need.layers // size), need.layers)
    fullest = _ceil((need.weights + need.cache) * share) + activations
    return Placement(
        Split.LAYERS, size, need.weights, need.cache, activations * size, fullest, memory
    )


def place(need: Need, count: int, memory: int) -> Placement:
    """The best placement on `count` accelerators: the largest tensor-parallel size, if it fits.

    Otherwise by layers, if that needs less memory on the fullest accelerator.
    """
    size = max(size for size in need.tensor_parallel_sizes if size <= count)
    tensors, layers = (
        by_tensors(need, size, memory),
        by_layers(need, min(count, need.layers), memory),
    )
    return tensors if tensors.fits or tensors.fullest <= layers.fullest else layers


def smallest_tensor_parallel(need: Need, memory: int) -> int | None:
    """The smallest tensor-parallel size that fits; None if none does."""
    sizes = need.tensor_parallel_sizes
    return next((size for size in sizes if by_tensors(need, size, memory).fits), None)


def _ceil(number: Fraction | int) -> int:
    return -(-number.numerator // number.denominator)
