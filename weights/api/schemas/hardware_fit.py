"""Schemas of the estimate of a checkpoint's memory on accelerators."""

from typing import Literal

from ninja import Schema
from pydantic import Field

from weights.hardware_fit.accelerators import Accelerator
from weights.hardware_fit.assessment import Assessment
from weights.hardware_fit.commands import Source, commands
from weights.hardware_fit.estimate import Placement


class AcceleratorOut(Schema):
    """An accelerator by its `key`. Data sheets use 1 GB = 10^9 bytes."""

    key: str
    name: str
    memory_bytes: int
    source: str
    url: str

    @classmethod
    def of(cls, accelerator: Accelerator) -> "AcceleratorOut":
        return cls(
            key=accelerator.key,
            name=accelerator.name,
            memory_bytes=accelerator.memory,
            source=accelerator.source,
            url=accelerator.url,
        )


class PlacementOut(Schema):
    """The model on `used` accelerators: bytes on all of them, and on the fullest one."""

    split: Literal["tensors", "layers"]
    used: int
    weights: int
    key_value_cache: int
    activations: int
    overhead: int
    free: int = Field(description="Negative if the model needs more than is available")
    total: int
    fullest: int = Field(description="Memory needed on the fullest accelerator, without overhead")
    usable: int = Field(description="Memory of one accelerator that the model can use")

    @classmethod
    def of(cls, placement: Placement) -> "PlacementOut":
        return cls(
            split=placement.split.value,
            used=placement.used,
            weights=placement.weights,
            key_value_cache=placement.cache,
            activations=placement.activations,
            overhead=placement.overhead,
            free=placement.free,
            total=placement.total,
            fullest=placement.fullest,
            usable=placement.usable,
        )


class HardwareFitOut(Schema):
    """The verdict, and the estimate behind it; all sizes are in bytes."""

    repo: str
    accelerator: AcceleratorOut
    count: int
    dtype: str
    context: int
    batch: int
    fits: bool | None = Field(description="Null if the answer depends on a missing fact")
    verdict: str
    weights: int | None
    placement: PlacementOut | None = Field(description="Null if a fact is missing")
    smallest_tensor_parallel: int | None = Field(
        description="The smallest size that divides the heads and fits; null if none does"
    )
    missing: list[str] = Field(description="Labels of the facts that the estimate lacks")
    assumptions: list[str]
    disk: int | None
    transfer_seconds: dict[str, int] = Field(description="By line rate")
    commands: dict[str, str] = Field(description="By program")

    @classmethod
    def of(cls, repo: str, assessment: Assessment, source: Source) -> "HardwareFitOut":
        placement, workload = assessment.placement, assessment.workload
        return cls(
            repo=repo,
            accelerator=AcceleratorOut.of(assessment.machines.accelerator),
            count=assessment.machines.count,
            dtype=workload.dtype.value,
            context=workload.context,
            batch=workload.batch,
            fits=assessment.fits,
            verdict=assessment.verdict,
            weights=assessment.weights,
            placement=PlacementOut.of(placement) if placement else None,
            smallest_tensor_parallel=assessment.smallest_tensor_parallel,
            missing=assessment.missing,
            assumptions=list(assessment.shape.assumptions),
            disk=assessment.disk,
            transfer_seconds=dict(assessment.transfers),
            commands={one.key: one.text for one in commands(assessment, source)},
        )
