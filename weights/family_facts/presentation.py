"""A family's footprint as pages show it: the chart, and the formulas with their numbers."""

from dataclasses import dataclass

from accounts.web.bar_charts import Bar, BarChart, Part, bar_chart
from weights.family_facts.footprint import Estimate, Footprint, Range


@dataclass(frozen=True)
class Input:
    label: str
    unit: str
    range: Range


@dataclass(frozen=True)
class Formula:
    """A formula in words, with the lowest numbers and with the highest."""

    label: str
    words: str
    low: str
    high: str


@dataclass(frozen=True)
class DisplayedFootprint:
    """The context of `weights/family_facts/_footprint.html`."""

    footprint: Footprint
    chart: BarChart
    energy: str
    carbon: str
    inputs: list[Input]
    formulas: list[Formula]


def displayed(slug: str, footprint: Footprint) -> DisplayedFootprint:
    return DisplayedFootprint(
        footprint=footprint,
        chart=_chart(slug, footprint),
        energy=_span(*(value / 1000 for value in footprint.energy)),
        carbon=_span(*footprint.carbon),
        inputs=[
            Input("GPU hours", "", footprint.inputs.gpu_hours),
            Input("Power of one GPU", "watts", footprint.inputs.watts),
            Input("Power usage effectiveness (PUE)", "", footprint.inputs.pue),
            Input("Carbon intensity of the grid", "kg CO2eq/kWh", footprint.inputs.kg_per_kwh),
        ],
        formulas=_formulas(footprint),
    )


def _chart(slug: str, footprint: Footprint) -> BarChart:
    low, high = footprint.carbon
    own = _bar(f"{footprint.subject}, estimated here", low, high)
    stated = [*footprint.published, *footprint.comparisons]
    return bar_chart(
        f"footprint-{slug}",
        f"{footprint.subject}: carbon compared with other models",
        [own, *(_stated_bar(estimate) for estimate in stated)],
        unit="tonnes of CO2 equivalent",
        legend=[("amount", "Lowest figure"), ("range", "Up to the highest")],
        label_width=330,
    )


def _stated_bar(estimate: Estimate) -> Bar:
    return _bar(estimate.label, estimate.low.value, estimate.high.value)


def _bar(label: str, low: float, high: float) -> Bar:
    parts = [Part("amount", low, f"{_number(low)} t")]
    if high > low:
        parts.append(Part("range", high - low, f"up to {_number(high)} t"))
    return Bar(label, parts, f"{_span(low, high)} t")


def _formulas(footprint: Footprint) -> list[Formula]:
    inputs = footprint.inputs
    ranges = (inputs.gpu_hours, inputs.watts, inputs.pue, inputs.kg_per_kwh)
    texts = []
    ends = zip(("low", "high"), footprint.energy, footprint.carbon, strict=True)
    for end, energy, carbon in ends:
        hours, watts, pue, grid = (getattr(one, end).value for one in ranges)
        texts.append(
            (
                f"{hours:,.0f} × {watts:g} / 1000 × {pue:g} = {energy:,.0f} kWh",
                f"{energy:,.0f} × {grid:g} / 1000 = {carbon:,.1f} t",
            )
        )
    (low_energy, low_carbon), (high_energy, high_carbon) = texts
    return [
        Formula("Energy", "GPU hours × watts / 1000 × PUE", low_energy, high_energy),
        Formula("Carbon", "energy × carbon intensity / 1000", low_carbon, high_carbon),
    ]


def _span(low: float, high: float) -> str:
    """`82–365`, or one number if both look the same."""
    first, last = _number(low), _number(high)
    return first if first == last else f"{first}–{last}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
