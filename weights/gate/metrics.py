"""Counts the gate's decisions for `/metrics`."""

from functools import lru_cache

from prometheus_client import Counter

DECISIONS = Counter(
    "weighbridge_gate_decisions",
    "Decisions of the gate by its rule and by the code of the refusal, or `allowed`.",
    ["rule", "outcome"],
)


@lru_cache(maxsize=1024)
def decisions(rule: str, outcome: str) -> Counter:
    """The counter of a rule and outcome; cached, since the lookup costs more than counting."""
    return DECISIONS.labels(rule, outcome)
