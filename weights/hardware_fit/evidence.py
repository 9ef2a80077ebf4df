"""Checkpoint sizes, for reviewers to compare with the hardware that an applicant states."""

from dataclasses import dataclass, field

from accounts.release_interface import CheckpointSize, HardwareFit
from weights.catalogue.models import Checkpoint
from weights.hardware_fit.assessment import DEFAULT_CONTEXT
from weights.hardware_fit.dtypes import Dtype, weight_bytes
from weights.hardware_fit.estimate import Need, place
from weights.hardware_fit.model_shape import shape_of

#: The usual format for inference.
_DTYPE = Dtype.FLOAT16


@dataclass(frozen=True)
class EstimatedSize(CheckpointSize):
    """A size that also counts key-value cache, activations and overhead for one sequence."""

    need: Need = field(kw_only=True)

    def fit_on(self, count: int, memory: int) -> HardwareFit:
        placement = place(self.need, count, memory)
        if not placement.fits:
            return HardwareFit(False)
        return HardwareFit(True, round(100 * placement.free / placement.total))


def estimated_size(checkpoint: Checkpoint, parameters: int) -> CheckpointSize:
    """The size in half precision with one sequence of up to 2048 tokens.

    If facts are missing, the size covers the weights alone.
    """
    shape, size = shape_of(checkpoint), weight_bytes(parameters, _DTYPE)
    need = shape.need(_DTYPE, min(shape.context_length or DEFAULT_CONTEXT, DEFAULT_CONTEXT), 1)
    if need is None:
        return CheckpointSize(checkpoint.name, size)
    return EstimatedSize(checkpoint.name, size, need=need)
