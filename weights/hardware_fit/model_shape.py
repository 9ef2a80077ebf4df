"""The numbers of a checkpoint that the estimate needs, from its facts and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weights.catalogue import measured
from weights.catalogue.facts import LABELS
from weights.catalogue.models import Checkpoint, MeasuredFacts
from weights.hardware_fit import dtypes
from weights.hardware_fit.dtypes import Dtype
from weights.hardware_fit.estimate import Need

#: Facts for cache and activations; the weights need `parameters` or tensor headers.
_NEEDED = ("layers", "heads", "d_model")
#: Larger numbers must be mistakes, and would make `Need.tensor_parallel_sizes` slow.
_LARGEST = {"layers": 10_000, "heads": 10_000, "kv_heads": 10_000}


@dataclass(frozen=True)
class Shape:
    """Numbers of a decoder, None if not stated; `headers` has the published elements by dtype.

    `assumptions` are sentences about numbers that were derived from others.
    """

    parameters: int | None = None
    layers: int | None = None
    heads: int | None = None
    kv_heads: int | None = None
    d_model: int | None = None
    head_dim: int | None = None
    context_length: int | None = None
    headers: Mapping[str, int] = field(default_factory=dict)
    assumptions: tuple[str, ...] = ()

    def missing(self, dtype: Dtype) -> list[str]:
        """Labels of the facts missing for an estimate in `dtype`."""
        keys = [] if self.weights(dtype) is not None else ["parameters"]
        keys += [key for key in _NEEDED if getattr(self, key) is None]
        if self.heads and self.d_model and self.head_dim is None:
            keys.append("head_dim")
        return [LABELS[key] for key in keys]

    @property
    def published_bytes(self) -> int | None:
        """Bytes of the published tensors; None if their headers were not read."""
        return dtypes.header_bytes(self.headers)

    def weights(self, dtype: Dtype) -> int | None:
        """Bytes of the weights in `dtype`; None if the parameters or the headers are missing."""
        if dtype == Dtype.PUBLISHED:
            return self.published_bytes
        return None if self.parameters is None else dtypes.weight_bytes(self.parameters, dtype)

    def number_bytes(self, dtype: Dtype) -> int:
        """Bytes of one number in cache and activations; quantised weights compute in 16 bits."""
        computes_in = dtypes.main_dtype(self.headers) if dtype == Dtype.PUBLISHED else dtype
        return 4 if computes_in == Dtype.FLOAT32 else 2

    def need(self, dtype: Dtype, context: int, batch: int) -> Need | None:
        """The input of the estimate; None if a number is missing."""
        weights = self.weights(dtype)
        if weights is None or not (self.layers and self.heads and self.d_model and self.head_dim):
            return None
        return Need(
            weights=weights,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads or self.heads,
            head_dim=self.head_dim,
            d_model=self.d_model,
            number_bytes=self.number_bytes(dtype),
            context=context,
            batch=batch,
        )


def shape_of(checkpoint: Checkpoint, counted: MeasuredFacts | None = None) -> Shape:
    """The numbers from a checkpoint's facts; counted ones override declared ones."""
    facts, assumptions = measured.merged_facts(checkpoint, counted), []
    heads, d_model = _number(facts, "heads"), _number(facts, "d_model")
    kv_heads, head_dim = _number(facts, "kv_heads"), _number(facts, "head_dim")
    if heads and (kv_heads is None or heads % kv_heads):
        kv_heads = heads
        assumptions.append(
            "The number of key-value heads is not stated, so every attention head is counted. This "
            "is exact for multi-head attention and too high for grouped-query attention."
        )
    if heads and d_model and head_dim is None and d_model % heads == 0:
        head_dim = d_model // heads
        assumptions.append("The head width is not stated; model width / heads is assumed.")
    return Shape(
        parameters=(counted.parameters if counted else None)
        or checkpoint.parameters
        or _number(facts, "parameters"),
        layers=_number(facts, "layers"),
        heads=heads,
        kv_heads=kv_heads,
        d_model=d_model,
        head_dim=head_dim,
        context_length=_number(facts, "context_length"),
        headers=counted.tensor_types if counted else {},
        assumptions=tuple(assumptions),
    )


def _number(facts: Mapping[str, Mapping[str, Any]], key: str) -> int | None:
    """The value of a fact if it is a positive whole number; owners may also enter text."""
    value = facts.get(key, {}).get("value")
    if type(value) is not int or not 0 < value <= _LARGEST.get(key, 2**63):
        return None
    return value
