"""A footprint is a range from sourced inputs; a figure without a source is refused."""

import copy
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from weights.catalogue.models import Family
from weights.catalogue.opt_family import entries
from weights.family_facts import parts, presentation
from weights.family_facts.footprint import Footprint

SHIPPED: dict[str, Any] = entries.family()["facts"]["footprint"]


def footprint() -> Footprint:
    return Footprint.model_validate(SHIPPED)


def test_energy_and_carbon_follow_from_the_inputs() -> None:
    assert footprint().energy == pytest.approx((356_167.68, 842_612.736))
    # The lower end is the figure that the authors of LLaMA computed: 82 tonnes.
    assert footprint().carbon == pytest.approx((82.27, 364.60), abs=0.01)


def test_other_models_are_compared_with_their_methods() -> None:
    tonnes = {one.label: (one.low.value, one.high.value) for one in footprint().comparisons}
    assert tonnes == {
        "GPT-3 175B": (500, 552),
        "Gopher 280B": (380, 380),
        "NAS (Transformer)": (284, 284),
        "BERT base": (0.65, 0.65),
    }
    assert all(one.method for one in [*footprint().published, *footprint().comparisons])


def figures(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all objects with a value."""
    if isinstance(node, list):
        return [found for i, one in enumerate(node) for found in figures(one, (*path, i))]
    if not isinstance(node, dict):
        return []
    here = [path] if "value" in node else []
    return here + [found for key, one in node.items() for found in figures(one, (*path, key))]


@pytest.mark.parametrize("path", figures(SHIPPED), ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize("missing", ["source", "url"])
def test_no_figure_is_accepted_without_its_source(path: tuple[Any, ...], missing: str) -> None:
    facts = {"footprint": copy.deepcopy(SHIPPED)}
    node: Any = facts["footprint"]
    for step in path:
        node = node[step]
    del node[missing]
    with pytest.raises(ValueError, match=rf"the footprint is not valid at .*{missing}"):
        parts.validate(facts)
    assert parts.read(facts).footprint is None
    with pytest.raises(ValidationError, match="the footprint is not valid"):
        Family(slug="x", name="X", facts=facts).full_clean(validate_unique=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inputs", "pue", "low", "value"), 2.0),  # above the highest
        (("inputs", "pue", "low", "value"), 0),
        (("inputs", "pue", "low", "value"), float("nan")),
        (("inputs", "pue", "low", "value"), True),
        (("inputs", "pue", "low", "value"), "1.1"),
        (("inputs", "pue", "low", "url"), "javascript:alert(1)"),
        (("inputs", "pue", "low", "url"), 'https://x.example/"onclick='),
        (("inputs", "pue", "low", "source"), "\x00\x00\x00"),
        (("inputs", "pue", "low", "source"), "\ud800\ud800\ud800"),
        (("subject",), "x" * 501),
        (("unknown",), 1),
        (("inputs",), []),
    ],
)
def test_a_value_that_pages_cannot_show_is_refused(path: tuple[str, ...], value: Any) -> None:
    facts = {"footprint": copy.deepcopy(SHIPPED)}
    node: Any = facts["footprint"]
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    with pytest.raises(ValueError, match="the footprint is not valid at"):
        parts.validate(facts)


def test_the_chart_starts_at_zero_and_has_a_bar_for_each_figure() -> None:
    displayed = presentation.displayed("opt", footprint())
    assert displayed.energy == "356–843"
    assert displayed.carbon == "82–365"
    drawing = displayed.chart.wide
    assert [row.text for row in drawing.rows] == [
        *("82–365 t", "75–150 t", "82–137 t", "500–552 t", "380 t", "284 t", "0.65 t"),
    ]
    position, text = drawing.ticks[0]
    assert (position, text) == (float(drawing.left), "0")
    nas, bert = drawing.rows[-2].rects[0], drawing.rows[-1].rects[0]
    assert nas.width > 100
    assert 2 <= bert.width < 3
    assert displayed.formulas[0].low == "809,472 × 400 / 1000 × 1.1 = 356,168 kWh"
