"""An assessment as pages show it: the verdict, a stacked bar, and the formulas with numbers."""

from dataclasses import dataclass

from accounts.web.byte_sizes import format_size
from weights.catalogue.models import Checkpoint
from weights.hardware_fit import dtypes
from weights.hardware_fit.accelerators import Accelerator
from weights.hardware_fit.assessment import Assessment, default_assessment, duration
from weights.hardware_fit.dtypes import Dtype
from weights.hardware_fit.estimate import Need, Placement, Split
from weights.hardware_fit.lookups import shape_at
from weights.publishing.models import Revision
from weights.web import charts


@dataclass(frozen=True)
class Part:
    """A part of the memory, and its share of the total."""

    key: str
    label: str
    size: int
    percent: str


@dataclass(frozen=True)
class Formula:
    """A term of the estimate in words and with numbers, and its result."""

    label: str
    words: str
    numbers: str
    size: int


@dataclass(frozen=True)
class DisplayedFit:
    """The context of `weights/hardware_fit/_fit.html`; `kind` is the kind of notice.

    `bar`, `parts` and `formulas` are empty if a number is missing.
    """

    assessment: Assessment
    kind: str
    bar: charts.StackedBar | None
    parts: list[Part]
    formulas: list[Formula]
    transfers: list[tuple[str, str]]

    @property
    def elsewhere(self) -> list[tuple[Accelerator, int | None]]:
        return self.assessment.elsewhere

    @property
    def description(self) -> str:
        """A text alternative to the bar."""
        return ", ".join(f"{part.label.lower()} {part.percent}" for part in self.parts)


def default_fit(checkpoint: Checkpoint, revision: Revision | None) -> DisplayedFit:
    """The assessment that the checkpoint's page shows, with the default workload."""
    files = revision.total_bytes if revision else None
    return displayed(default_assessment(shape_at(checkpoint, revision), files))


def displayed(assessment: Assessment) -> DisplayedFit:
    kind = {True: "good", False: "bad", None: "wait"}[assessment.fits]
    transfers = [(rate, duration(seconds)) for rate, seconds in assessment.transfers]
    need, placement = assessment.need, assessment.placement
    if need is None or placement is None:
        return DisplayedFit(assessment, kind, None, [], [], transfers)
    parts = _parts(placement)
    bar = charts.stacked_bar([(part.key, part.size) for part in parts], placement.total)
    return DisplayedFit(
        assessment, kind, bar, parts, _formulas(assessment, need, placement), transfers
    )


def _parts(placement: Placement) -> list[Part]:
    sizes = [
        ("weights", "Weights", placement.weights),
        ("cache", "Key-value cache", placement.cache),
        ("overhead", "Activations and overhead", placement.activations + placement.overhead),
        *([("free", "Free", placement.free)] if placement.free >= 0 else []),
    ]
    return [Part(key, label, size, _percent(size, placement.total)) for key, label, size in sizes]


def _percent(size: int, total: int) -> str:
    percent = 100 * size / total
    return f"{percent:.0f} %" if percent >= 1 or size == 0 else "below 1 %"


def _formulas(assessment: Assessment, need: Need, placement: Placement) -> list[Formula]:
    tokens = f"{need.context:,} × {need.batch:,}"
    is_tensors = placement.split == Split.TENSORS
    divisor = placement.used if is_tensors else 1
    copies = max(placement.used, need.kv_heads) if is_tensors else need.kv_heads
    kv_heads = f"{copies:,}"
    return [
        _weights(assessment, need),
        Formula(
            "Key-value cache",
            "2 × layers × key-value heads × head width × bytes × context × batch",
            f"2 × {need.layers} × {kv_heads} × {need.head_dim} × {need.number_bytes} × {tokens}",
            placement.cache,
        ),
        Formula(
            "Activations",
            "accelerators × context × batch × model width × (10 + 24 / tensor parallel size) "
            "× bytes / 2",
            f"{placement.used} × {tokens} × {need.d_model:,} × (10 + 24 / {divisor}) × "
            f"{need.number_bytes} / 2",
            placement.activations,
        ),
        Formula(
            "Overhead",
            "a tenth of the memory",
            f"{placement.used} × {format_size(placement.memory).partition(' (')[0]} / 10",
            placement.overhead,
        ),
    ]


def _weights(assessment: Assessment, need: Need) -> Formula:
    dtype, shape = assessment.workload.dtype, assessment.shape
    if dtype == Dtype.PUBLISHED:
        counts = " + ".join(f"{count:,} {name}" for name, count in sorted(shape.headers.items()))
        return Formula("Weights", "elements by dtype in the tensor headers", counts, need.weights)
    bits = float(dtypes.BITS[dtype])
    numbers = f"{shape.parameters:,} × {bits:g} / 8"
    return Formula("Weights", "parameters × bits / 8", numbers, need.weights)
