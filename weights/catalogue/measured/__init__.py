"""Facts counted from published files: parameters, tensor types, formats and architecture."""

from typing import Any

from weights.catalogue.measured.counting import measure, store_counts, sweep
from weights.catalogue.models import Checkpoint, MeasuredFacts

__all__ = [
    "facts_of",
    "measure",
    "merged_facts",
    "parameters_of",
    "store_counts",
    "sweep",
]
#: The source of a measured fact.
_WEIGHTS, _CONFIG, _GGUF = "the published weights", "the published config.json", "the GGUF header"


def facts_of(measured: MeasuredFacts) -> dict[str, dict[str, Any]]:
    """Measured facts in the format of `Checkpoint.facts`, with status `counted`."""
    values = {key: value for key, value in measured.architecture.items() if isinstance(value, int)}
    source = _GGUF if measured.counted_from == "gguf" else _CONFIG
    found = {key: _fact(value, source) for key, value in values.items()}
    if measured.parameters:
        found["parameters"] = _fact(measured.parameters, _WEIGHTS)
    return found


def merged_facts(
    checkpoint: Checkpoint, measured: MeasuredFacts | None
) -> dict[str, dict[str, Any]]:
    """A checkpoint's facts for display and estimates. Counted facts override declared ones.

    If they differ, the counted fact's note states the declared value and its source.
    """
    declared: dict[str, Any] = checkpoint.facts
    counted = facts_of(measured) if measured else {}
    for key, fact in counted.items():
        other = declared.get(key, {})
        if other.get("value") not in {None, fact["value"]}:
            source = f" ({other['source']})" if other.get("source") else ""
            fact["note"] = f"declared: {other['value']}{source}"
    return {**declared, **counted}


def parameters_of(checkpoint: Checkpoint, measured: MeasuredFacts | None) -> int | None:
    """The number of parameters by the same rule: counted, else declared; None if unknown."""
    return (measured.parameters if measured else None) or checkpoint.parameters


def _fact(value: int, source: str) -> dict[str, Any]:
    return {"value": value, "source": source, "status": "counted"}
