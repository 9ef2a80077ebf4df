"""The facts of a checkpoint as they are kept, ordered and shown: plain Python, no records.

`Checkpoint.facts` is a mapping of key -> `{"label", "value", "source"}` and, where there is
more to say, `"note"` and `"status"` (computed, inferred, estimated). Postgres does not keep
the order of a mapping, so the order of display is here.
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
_ORDER = {key: place for place, key in enumerate(LABELS)}
_UNITS = {"context_length": "tokens", "training_tokens": "tokens", "batch_tokens": "tokens"}
_BYTES = {"bytes_fp16", "bytes_fp32"}
_DATES = {"release_date"}
_TEXTS = ("label", "source", "note", "status")


@dataclass(frozen=True)
class Fact:
    """One line of a checkpoint's facts, ready to be shown."""

    key: str
    label: str
    text: str
    source: str
    note: str = ""
    status: str = ""


def fact(key: str, value: Any, source: str, *, note: str = "", status: str = "") -> dict[str, Any]:
    """One fact as it is kept; empty notes are left out."""
    extra = {"note": note, "status": status}
    kept = {name: text for name, text in extra.items() if text}
    return {"label": LABELS[key], "value": value, "source": source, **kept}


def shown(facts: Mapping[str, Mapping[str, Any]]) -> list[Fact]:
    """The known facts in the order of display; keys that an owner added stand last."""
    keys = sorted(facts, key=lambda key: (_ORDER.get(key, len(_ORDER)), key))
    return [_shown(key, facts[key]) for key in keys if facts[key].get("value") is not None]


def demand(facts: Any) -> None:
    """Raises ValueError, saying what to write, for facts that could not be kept or shown."""
    if not isinstance(facts, dict):
        raise ValueError('facts are an object, such as {"layers": {"value": 96, "source": "…"}}')
    for key, kept in facts.items():
        if not (_is_text(key) and isinstance(kept, dict)):
            raise ValueError(f'{key!r} is no fact: write it as {{"value": …, "source": "…"}}')
        unknown = sorted(set(kept) - {"value", *_TEXTS})
        if unknown:
            raise ValueError(f"{key!r} has {unknown[0]!r}; a fact has value, {', '.join(_TEXTS)}")
        for name in _TEXTS:
            if not _is_text(kept.get(name, "")):
                raise ValueError(f"the {name} of {key!r} is a text in quotes")
        if kept.get("value") is not None:
            _demand_value(key, kept["value"])


def _demand_value(key: str, value: Any) -> None:
    if not (_is_text(value) or _is_amount(value)):
        raise ValueError(f"the value of {key!r} is a number below 2^63 or a text")
    if key in _BYTES and not isinstance(value, int):
        raise ValueError(f"the value of {key!r} is a whole number of bytes")
    if key in _DATES and not _is_day(value):
        raise ValueError(f"the value of {key!r} is a day, such as 2022-05-03")


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and is_storable(value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _is_day(value: Any) -> bool:
    try:
        date.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def as_text(key: str, value: Any) -> str:
    """A value as a person reads it: grouped digits, units, both kinds of bytes."""
    if key in _BYTES:
        return f"{value:,} bytes ({_scaled(value)})"
    if key in _DATES:
        day = date.fromisoformat(value)
        return f"{day.day} {day:%B %Y}"
    text = f"{value:,}" if isinstance(value, int) else _plain(value)
    return f"{text} {_UNITS[key]}" if key in _UNITS else text


def _scaled(size: int) -> str:
    """Bytes in decimal and binary units: `349.2 GB, 325.2 GiB`."""
    decimal, binary, letter = (10**9, 2**30, "G") if size >= 10**9 else (10**6, 2**20, "M")
    return f"{size / decimal:,.1f} {letter}B, {size / binary:,.1f} {letter}iB"


def _plain(value: Any) -> str:
    """Learning rates as 1.2e-4, not as 1.2e-04 or 0.00012; everything else as it stands."""
    if not isinstance(value, float) or value >= 0.01:
        return str(value)
    digits, _, power = f"{value:e}".partition("e")
    return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"


def _shown(key: str, kept: Mapping[str, Any]) -> Fact:
    return Fact(
        key=key,
        label=str(kept.get("label") or LABELS.get(key, key)),
        text=as_text(key, kept["value"]),
        source=str(kept.get("source", "")),
        note=str(kept.get("note", "")),
        status=str(kept.get("status", "")),
    )
