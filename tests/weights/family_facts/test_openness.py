"""Classes of the Model Openness Framework follow strictly from the components."""

from typing import Any

import pytest

from weights.catalogue.opt_family import entries
from weights.family_facts import parts
from weights.family_facts.openness import COMPONENTS, Openness


def component(name: str, **changes: Any) -> dict[str, Any]:
    licence = "MIT" if COMPONENTS[name].kind == "code" else "CC-BY-4.0"
    base = {"component": name, "availability": "released", "licence": licence}
    return {**base, "where": "somewhere", "url": "https://x.example/", **changes}


def required(*classes: int) -> list[str]:
    return [
        name for name, one in COMPONENTS.items() if one.required and one.mof_class in set(classes)
    ]


def openness(names: list[str], **changes: dict[str, Any]) -> Openness:
    listed = [component(name, **changes.get(name, {})) for name in names]
    return Openness.model_validate({"components": listed})


def test_a_class_needs_its_components_and_those_of_the_classes_below_it() -> None:
    assert openness([]).mof_class is None
    assert openness(required(3)).mof_class == 3
    assert openness(required(3, 2)).mof_class == 2
    assert openness(required(3, 2, 1)).mof_class == 1
    assert openness(required(2, 1)).mof_class is None
    assert openness(required(3, 1)).mof_class == 3
    assert openness(required(3, 2, 1)).next_class == ""


@pytest.mark.parametrize("name", required(3, 2, 1))
@pytest.mark.parametrize(
    "change",
    [
        {"availability": "not_released"},
        {"availability": "partly"},
        {"availability": "on_request"},
        {"licence": ""},
        {"licence": "LicenseRef-OPT-175B"},
        {"licence": "CC-BY-NC-4.0"},
    ],
)
def test_each_component_that_is_not_open_costs_its_class(name: str, change: dict[str, Any]) -> None:
    changed = openness(required(3, 2, 1), **{name: change})
    own = COMPONENTS[name].mof_class
    assert own is not None
    # A research paper is accepted in place of a technical report, so one of them is enough.
    expected = 1 if name == "technical_report" else {3: None, 2: 3, 1: 2}[own]
    assert changed.mof_class == expected
    if expected != 1:
        assert changed.lacking == [COMPONENTS[name].label]


def test_code_under_a_licence_of_content_is_not_open() -> None:
    changed = openness(required(3, 2), training_code={"licence": "CC-BY-4.0"})
    assert changed.mof_class == 3
    assert openness(required(3), model_parameters_final={"licence": "Apache-2.0"}).mof_class == 3


def test_opt_reaches_no_class_since_its_weights_are_not_open() -> None:
    stated = parts.read(entries.family()["facts"]).openness
    assert stated is not None
    assert (stated.mof_class, stated.verdict, stated.lacking) == (None, "No class", ["Weights"])
    assert {one.component for one in stated.components} == set(COMPONENTS)
    code = next(one for one in stated.components if one.component == "training_code")
    assert code.commit == "f7ffa5fd61cf90f498a36d365c13dd7f1a912ff7"
    assert code.commit in code.archive_command
    assert len(code.archive_sha256) == 64


@pytest.mark.parametrize(
    "change",
    [
        {"url": ""},
        {"url": "http://x.example/"},
        {"where": ""},
        {"commit": "main"},
        {"archive_sha256": "0" * 64},  # without the command that gives it
        {"availability": "perhaps"},
        {"component": "vibes"},
    ],
)
def test_a_component_that_nobody_can_check_is_refused(change: dict[str, Any]) -> None:
    facts = {"openness": {"components": [{**component("training_code"), **change}]}}
    with pytest.raises(ValueError, match="the openness is not valid at components"):
        parts.validate(facts)


def test_a_component_counts_once() -> None:
    facts = {"openness": {"components": [component("datasets")] * 2}}
    with pytest.raises(ValueError, match="listed twice"):
        parts.validate(facts)


@pytest.mark.parametrize("field", ["citation", "url"])
def test_a_limitation_and_a_result_need_their_source(field: str) -> None:
    limitation = {"text": "Repeats itself.", "citation": "Paper", "url": "https://x.example/"}
    del limitation[field]
    with pytest.raises(ValueError, match="the list of limitations is not valid"):
        parts.validate({"limitations": [limitation]})
    result = {
        "label": "Bias",
        "better": "lower",
        "results": [{"model": "One", "value": 1.5}],
        "source": "Paper",
        "url": "https://x.example/",
    }
    parts.validate({"openness": {"components": [], "results": [result]}})
    del result["url" if field == "url" else "source"]
    with pytest.raises(ValueError, match="the openness is not valid at results"):
        parts.validate({"openness": {"components": [], "results": [result]}})
