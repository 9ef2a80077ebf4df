"""A checkpoint's facts: their JSON format, validation and display.

`Checkpoint.facts` maps a key to `{"label", "value", "source"}` and optionally `"unit"`, `"note"`
and `"status"` (computed, inferred, estimated). LABELS defines the display order, since
PostgreSQL does not preserve the order of JSON objects.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from accounts.web.sanitize import is_storable

#: key -> label, in the order of display.
LABELS = {
    "parameters": "Parameters",
    "layers": "Layers",
    "heads": "Attention heads",
    "kv_heads": "Key-value heads",
    "d_model": "Model width (d_model)",
    "head_dim": "Head width",
    "ffn_dim": "Feed-forward width",
    "word_embed_proj_dim": "Embedding width",
    "context_length": "Context length",
    "vocab_rows": "Embedding rows",
    "normalisation": "Layer norm",
    "training_tokens": "Training tokens",
    "batch_tokens": "Batch size",
    "learning_rate_peak": "Peak learning rate",
    "tensor_parallel_training": "Tensor parallel size in training",
    "precision": "Precision as released",
    "bytes_fp16": "Weights in float16",
    "bytes_fp32": "Weights in float32",
    "files": "Files as released",
    "release_date": "Released",
    "carbon": "Carbon footprint of training",
}
_POSITIONS = {key: position for position, key in enumerate(LABELS)}

#: Units that staff choose from: an empty one allows text, NUMBER_UNITS need a number.
TOKENS, BYTES, DAY = "tokens", "bytes", "day"
NUMBER_UNITS = (TOKENS, BYTES, "GPU hours", "t CO2e", "kWh", "%")
UNITS = ("", *NUMBER_UNITS, DAY)
#: Default units by key, for facts without a unit.
_UNITS = {
    "context_length": TOKENS,
    "training_tokens": TOKENS,
    "batch_tokens": TOKENS,
    "bytes_fp16": BYTES,
    "bytes_fp32": BYTES,
    "release_date": DAY,
}
_TEXTS = ("label", "source", "note", "status", "unit")


@dataclass(frozen=True)
class Fact:
    """One fact as displayed."""

    key: str
    label: str
    text: str
    source: str
    note: str
    status: str


def displayed(facts: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """Facts with a value, in display order; keys that an owner added come last."""
    return [_fact(key, fact) for key, fact in in_order(facts) if fact.get("value") is not None]


def in_order(facts: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    """Keys and facts in the order of display."""
    keys = sorted(facts, key=lambda key: (_POSITIONS.get(key, len(_POSITIONS)), key))
    return [(key, facts[key]) for key in keys]


def _fact(key: str, fact: Mapping[str, Any]) -> Fact:
    return Fact(
        key=key,
        label=str(fact.get("label") or LABELS.get(key, key)),
        text=as_text(key, fact["value"], unit_of(key, fact)),
        source=str(fact.get("source", "")),
        note=str(fact.get("note", "")),
        status=str(fact.get("status", "")),
    )


def unit_of(key: str, fact: Mapping[str, Any]) -> str:
    """The unit of a fact: its own, else that of its key; empty for text and plain numbers."""
    return str(fact.get("unit") or _UNITS.get(key, ""))


def validate(facts: Any) -> None:
    """Raises ValueError, with a hint, for facts that cannot be stored or displayed."""
    if not isinstance(facts, dict):
        raise ValueError(
            'facts must be an object, such as {"layers": {"value": 96, "source": "…"}}'
        )
    for key, fact in facts.items():
        if not (_is_text(key) and isinstance(fact, dict)):
            raise ValueError(f'{key!r} is not a fact: write it as {{"value": …, "source": "…"}}')
        unknown = sorted(set(fact) - {"value", *_TEXTS})
        if unknown:
            raise ValueError(f"{key!r} has {unknown[0]!r}; a fact has value, {', '.join(_TEXTS)}")
        for name in _TEXTS:
            if not _is_text(fact.get(name, "")):
                raise ValueError(f"the {name} of {key!r} must be text in quotes")
        if fact.get("value") is not None:
            validate_value(key, fact["value"], unit_of(key, fact))


def validate_value(key: str, value: Any, unit: str) -> None:
    """Raises ValueError for a value that does not match its unit."""
    if not (_is_text(value) or _is_number(value)):
        raise ValueError(f"the value of {key!r} must be a number below 2^63 or text")
    if unit not in UNITS:
        raise ValueError(f"the unit of {key!r} must be one of {', '.join(UNITS[1:])}")
    if unit == BYTES and not isinstance(value, int):
        raise ValueError(f"the value of {key!r} must be a whole number of bytes")
    if unit in NUMBER_UNITS and not _is_number(value):
        raise ValueError(f"the value of {key!r} must be a number of {unit}")
    if unit == DAY and not _is_date(value):
        raise ValueError(f"the value of {key!r} must be a day, such as 2022-05-03")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_storable(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _is_date(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def as_text(key: str, value: Any, unit: str = "") -> str:
    """A value as displayed: grouped digits, units, bytes in decimal and binary units."""
    unit = unit or _UNITS.get(key, "")
    if unit == BYTES:
        return f"{value:,} bytes ({_scaled(value)})"
    if unit == DAY:
        day = date.fromisoformat(value)
        return f"{day.day} {day:%B %Y}"
    text = f"{value:,}" if isinstance(value, int) else _scientific(value)
    return f"{text} {unit}" if unit else text


def _scaled(size: int) -> str:
    """Bytes in decimal and binary units: `349.2 GB, 325.2 GiB`."""
    decimal, binary, letter = (10**9, 2**30, "G") if size >= 10**9 else (10**6, 2**20, "M")
    return f"{size / decimal:,.1f} {letter}B, {size / binary:,.1f} {letter}iB"


def _scientific(value: Any) -> str:
    """Floats below 0.01 as 1.2e-4, not as 1.2e-04 or 0.00012; anything else unchanged."""
    if not isinstance(value, float) or value >= 0.01:
        return str(value)
    digits, _, power = f"{value:e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
