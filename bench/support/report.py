"""Print one line per case: value, base, median of the ratios by round, CPU, peak memory."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """One measurement: `value` in the case's unit, `cpu` in seconds per unit of work."""

    value: float
    cpu: float


def line(
    label: str,
    unit: str,
    ours: list[Round],
    base_label: str,
    base: list[Round],
    *,
    cpu_unit: str,
    peak: int,
    smaller_is_better: bool = False,
) -> None:
    """Print a case; a ratio above 1 favours the portal. `peak` is in bytes."""
    ratios = [our.value / their.value for our, their in zip(ours, base, strict=True)]
    if smaller_is_better:
        ratios = [1 / ratio for ratio in ratios]
    print(
        f"{label}: {_median(ours):,.4g} {unit}; {base_label}: {_median(base):,.4g} {unit};"
        f" ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f});"
        f" CPU {_cpu(ours):.3g} against {_cpu(base):.3g} s/{cpu_unit};"
        f" peak {peak / 2**20:.0f} MiB",
        flush=True,
    )


def difference(label: str, unit: str, ours: list[Round], base: list[Round]) -> None:
    """Print the median difference between the rounds and their bases."""
    more = [our.value - their.value for our, their in zip(ours, base, strict=True)]
    middle = statistics.median(more)
    print(f"{label}: {middle:+.2f} {unit} ({min(more):+.2f} to {max(more):+.2f})", flush=True)


def not_measured(label: str, why: str) -> None:
    """Print that a case was skipped, and why."""
    print(f"{label}: not measured ({why})", flush=True)


def _median(rounds: list[Round]) -> float:
    return statistics.median(one.value for one in rounds)


def _cpu(rounds: list[Round]) -> float:
    return statistics.median(one.cpu for one in rounds)
