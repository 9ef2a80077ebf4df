"""The assessment of a checkpoint on given accelerators: verdict, placement, disk and transfer."""

from dataclasses import dataclass
from functools import cached_property

from accounts.web.byte_sizes import format_size
from weights.hardware_fit.accelerators import ACCELERATORS, Accelerator
from weights.hardware_fit.dtypes import Dtype
from weights.hardware_fit.estimate import (
    Need,
    Placement,
    Split,
    by_layers,
    place,
    smallest_tensor_parallel,
    usable_memory,
)
from weights.hardware_fit.model_shape import Shape

#: Line rates in bits per second.
_RATES = {"100 Mbit/s": 10**8, "1 Gbit/s": 10**9, "10 Gbit/s": 10**10}
#: Default context in tokens if a checkpoint states no maximum, and the largest default.
DEFAULT_CONTEXT, MAX_DEFAULT_CONTEXT = 2048, 4096
_LARGE = "a100-80"
#: Overhead takes a tenth (`estimate.USABLE_FRACTION`).
_USABLE = "nine tenths of the memory can hold it:"


@dataclass(frozen=True)
class Workload:
    """Dtype of the weights, context in tokens, and batch in sequences."""

    dtype: Dtype
    context: int
    batch: int = 1


@dataclass(frozen=True)
class Machines:
    """`count` accelerators of one kind."""

    accelerator: Accelerator
    count: int

    def __str__(self) -> str:
        return f"{self.count} × {self.accelerator.name}"


@dataclass(frozen=True)
class Assessment:
    """What a checkpoint needs and whether it fits; `files` are the published bytes, if any."""

    shape: Shape
    workload: Workload
    machines: Machines
    files: int | None = None

    @cached_property
    def need(self) -> Need | None:
        return self.shape.need(self.workload.dtype, self.workload.context, self.workload.batch)

    @cached_property
    def placement(self) -> Placement | None:
        """None if a number is missing."""
        if self.need is None:
            return None
        return place(self.need, self.machines.count, self.machines.accelerator.memory)

    @property
    def missing(self) -> list[str]:
        return self.shape.missing(self.workload.dtype)

    @property
    def weights(self) -> int | None:
        return self.shape.weights(self.workload.dtype)

    @property
    def fits(self) -> bool | None:
        """None if the answer depends on a missing number."""
        if self.placement is not None:
            return self.placement.fits
        return False if self.weights is not None and self.weights > self._usable else None

    @property
    def free_percent(self) -> int | None:
        """Free memory of the accelerators in use, rounded; None unless it fits."""
        if self.placement is None or not self.placement.fits:
            return None
        return round(100 * self.placement.free / self.placement.total)

    @property
    def _usable(self) -> int:
        return self.machines.count * usable_memory(self.machines.accelerator.memory)

    @property
    def verdict(self) -> str:
        """One sentence without the full stop."""
        if self.placement is None:
            return self._partial_verdict()
        if not self.placement.fits:
            return f"Does not fit on {self.machines}"
        used, count = self.placement.used, self.machines.count
        where = str(self.machines) if used == count else f"{used} of {self.machines}"
        split = ", split by layers" if self.placement.split == Split.LAYERS and used > 1 else ""
        return f"Fits on {where}{split}, with {self.free_percent} % free"

    def _partial_verdict(self) -> str:
        if self.fits is False:
            return f"Does not fit on {self.machines}"
        return f"Cannot tell for {self.machines}: {_listed(self.missing)} not stated"

    @property
    def reason(self) -> str:
        """A sentence that explains the verdict with sizes."""
        if (placement := self.placement) is None:
            if self.weights is None:
                return "Without its number of parameters, nothing can be estimated."
            alone = f"The weights alone need {_decimal(self.weights)}; {_USABLE} "
            missing = (
                "" if self.fits is None else f" {_listed(self.missing, capital=True)} not stated."
            )
            return f"{alone}{_decimal(self._usable)}.{missing}"
        subject = "The accelerator" if placement.used == 1 else "The fullest accelerator"
        usable = _decimal(placement.usable)
        return f"{subject} needs {_decimal(placement.fullest)}; {_USABLE} {usable}."

    @property
    def smallest_tensor_parallel(self) -> int | None:
        """None if no size fits, or a number is missing."""
        if self.need is None:
            return None
        return smallest_tensor_parallel(self.need, self.machines.accelerator.memory)

    @property
    def fits_by_layers(self) -> bool:
        """True if it fits with whole layers spread over the accelerators, as accelerate does."""
        if self.need is None:
            return False
        machines = self.machines
        used = min(machines.count, self.need.layers)
        return by_layers(self.need, used, machines.accelerator.memory).fits

    @property
    def elsewhere(self) -> list[tuple[Accelerator, int | None]]:
        """The smallest tensor-parallel size for each accelerator in the list."""
        if self.need is None:
            return []
        need = self.need
        return [(one, smallest_tensor_parallel(need, one.memory)) for one in ACCELERATORS.values()]

    @property
    def disk(self) -> int | None:
        """Bytes of the published files, else of the weights in float16."""
        return self.files or self.shape.weights(Dtype.FLOAT16)

    @property
    def transfers(self) -> list[tuple[str, int]]:
        """Line rate, and seconds to transfer all files at that rate."""
        if not self.disk:
            return []
        return [(rate, -(-8 * self.disk // bits)) for rate, bits in _RATES.items()]


def default_workload(shape: Shape) -> Workload:
    """The published dtype, else float16; the checkpoint's context up to 4096 tokens."""
    dtype = Dtype.FLOAT16 if shape.published_bytes is None else Dtype.PUBLISHED
    context = shape.context_length or DEFAULT_CONTEXT
    return Workload(dtype, min(context, MAX_DEFAULT_CONTEXT))


def default_machines(shape: Shape, workload: Workload) -> Machines:
    """The smallest single accelerator that fits the model, else as many of 80 GB as it needs."""
    need, large = shape.need(workload.dtype, workload.context, workload.batch), ACCELERATORS[_LARGE]
    if need is None:
        return Machines(large, 8)
    for accelerator in ACCELERATORS.values():
        if accelerator.memory < large.memory and place(need, 1, accelerator.memory).fits:
            return Machines(accelerator, 1)
    return Machines(large, smallest_tensor_parallel(need, large.memory) or need.heads)


def default_assessment(shape: Shape, files: int | None) -> Assessment:
    """The assessment with the default workload on the default accelerators."""
    workload = default_workload(shape)
    return Assessment(shape, workload, default_machines(shape, workload), files)


def duration(seconds: int) -> str:
    """A rounded duration in its two largest units: `7 h 46 min`, `3 min`, `12 s`."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if days else f"{hours} h {minutes} min"


def _decimal(size: int) -> str:
    """Bytes in decimal units: `72.0 GB`."""
    return format_size(size).partition(" (")[0]


def _listed(labels: list[str], *, capital: bool = False) -> str:
    """`layers and attention heads are`; `labels` has at least one."""
    texts = [label[:1].lower() + label[1:] for label in labels]
    start = f"{', '.join(texts[:-1])} and " if texts[1:] else ""
    text = f"{start}{texts[-1]} {'are' if texts[1:] or labels[0].endswith('s') else 'is'}"
    return text[:1].upper() + text[1:] if capital else text
