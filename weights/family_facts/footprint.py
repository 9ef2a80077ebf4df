"""The footprint of training: `Family.facts["footprint"]`, as JSON.

    {"subject": "Training of OPT-175B",
     "inputs": {"gpu_hours": {"low": FIGURE, "high": FIGURE},
                "watts": …, "pue": …, "kg_per_kwh": …},
     "published": [{"label": "…", "method": "…", "low": FIGURE, "high": FIGURE}],
     "comparisons": [as published]}

FIGURE is `{"value": 1.1, "source": "…", "url": "https://…"}` and optionally `"note"`. A figure
without a source is refused. The formula is that of Strubell et al. 2019, equations 1 and 2.
"""

from typing import Annotated

from pydantic import Field, model_validator

from weights.family_facts.records import Record, RequiredText, Sourced, Text

Amount = Annotated[float, Field(gt=0, lt=1e15, allow_inf_nan=False, strict=True)]


class Figure(Sourced):
    """A number with its source."""

    value: Amount
    note: Text = ""


class Range(Record):
    """From `low` to `high`, which may be equal."""

    low: Figure
    high: Figure

    @model_validator(mode="after")
    def _is_ordered(self) -> "Range":
        if self.low.value > self.high.value:
            raise ValueError("`low` is larger than `high`")
        return self

    @property
    def is_exact(self) -> bool:
        return self.low.value == self.high.value


class Estimate(Range):
    """Tonnes of CO2 equivalent that a document states, and its method."""

    label: RequiredText
    method: RequiredText


class Inputs(Record):
    """The inputs for estimating a training run's energy and carbon."""

    gpu_hours: Range
    watts: Range
    pue: Range
    kg_per_kwh: Range


class Footprint(Record):
    """The footprint of one family; energy in kWh, carbon in tonnes of CO2 equivalent."""

    subject: RequiredText
    inputs: Inputs
    published: list[Estimate] = Field(default=[], max_length=20)
    comparisons: list[Estimate] = Field(default=[], max_length=20)

    @property
    def energy(self) -> tuple[float, float]:
        """GPU hours × watts / 1000 × PUE, in kWh: the lowest and the highest value."""
        hours, watts, pue = self.inputs.gpu_hours, self.inputs.watts, self.inputs.pue
        return (
            hours.low.value * watts.low.value / 1000 * pue.low.value,
            hours.high.value * watts.high.value / 1000 * pue.high.value,
        )

    @property
    def carbon(self) -> tuple[float, float]:
        """Energy × carbon intensity of the grid / 1000, in tonnes: lowest and highest."""
        grid, (low, high) = self.inputs.kg_per_kwh, self.energy
        return low * grid.low.value / 1000, high * grid.high.value / 1000
