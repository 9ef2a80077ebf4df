"""The released components of a family, in terms of the Model Openness Framework.

`Family.facts["openness"]`:

    {"components": [{"component": "training_code", "availability": "released", "licence": "MIT",
                     "where": "…", "url": "https://…"}],
     "results": [{"label": "…", "better": "lower", "results": [{"model": "…", "value": 1.5}],
                  "source": "…", "url": "https://…"}]}

A component may have `commit`, `archive_command` with `archive_sha256`, and `note`. Components and
classes are those of White et al. 2024 (https://arxiv.org/abs/2403.13784), section 5.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from weights.family_facts.records import Record, RequiredText, Sourced, Text, Url


@dataclass(frozen=True)
class Requirement:
    """A component: its MOF class (None if the framework has none), kind, and label."""

    label: str
    mof_class: int | None
    kind: Literal["code", "data", "document"]
    required: bool = True

    @property
    def numeral(self) -> str:
        return _NUMERALS[self.mof_class] if self.mof_class else "–"


COMPONENTS = {
    "model_architecture": Requirement("Model architecture", 3, "code"),
    "model_parameters_final": Requirement("Weights", 3, "data"),
    "technical_report": Requirement("Technical report", 3, "document"),
    "evaluation_results": Requirement("Evaluation results", 3, "document"),
    "model_card": Requirement("Model card", 3, "document"),
    "data_card": Requirement("Data card", 3, "document"),
    "sample_outputs": Requirement("Sample outputs", 3, "data", required=False),
    "training_code": Requirement("Training code", 2, "code"),
    "inference_code": Requirement("Inference code", 2, "code"),
    "evaluation_code": Requirement("Evaluation code", 2, "code"),
    "evaluation_data": Requirement("Evaluation data", 2, "data"),
    "supporting_libraries": Requirement("Supporting libraries", 2, "code", required=False),
    "research_paper": Requirement("Research paper", 1, "document"),
    "datasets": Requirement("Training data", 1, "data"),
    "data_preprocessing_code": Requirement("Data preprocessing code", 1, "code"),
    "model_parameters_intermediate": Requirement("Intermediate weights", 1, "data"),
    "model_metadata": Requirement("Model metadata", 1, "data", required=False),
    "logbook": Requirement("Logbook", None, "document", required=False),
    "licence": Requirement("Licence", None, "document", required=False),
}
_NUMERALS = {3: "III", 2: "II", 1: "I"}
CLASSES = {3: "Class III, Open Model", 2: "Class II, Open Tooling", 1: "Class I, Open Science"}

#: SPDX identifiers of open licences: OSI-approved ones for code, and ones for open content.
_CODE = {
    *("Apache-2.0", "MIT", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MPL-2.0", "EPL-2.0", "Zlib"),
    *("GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "EUPL-1.2"),
    *("LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "0BSD"),
    *("AGPL-3.0-only", "AGPL-3.0-or-later", "Unlicense", "BSL-1.0", "Artistic-2.0"),
}
_CONTENT = {
    *("CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
    *("CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0"),
    *("ODC-By-1.0", "ODbL-1.0", "PDDL-1.0"),
}


class Availability(StrEnum):
    RELEASED = "released"
    PARTLY = "partly"
    ON_REQUEST = "on_request"
    NOT_RELEASED = "not_released"


#: Availability -> kind of badge and text, unless the component is open.
_STATES = {
    Availability.RELEASED: ("reviewed", "Released, no open licence"),
    Availability.PARTLY: ("reviewed", "Released in part"),
    Availability.ON_REQUEST: ("reviewed", "On request"),
    Availability.NOT_RELEASED: ("absent", "Not released"),
}


class Component(Record):
    """A component: whether, where and under which licence it was released."""

    component: Literal[tuple(COMPONENTS)]  # type: ignore[valid-type]
    availability: Availability
    licence: Text = ""
    where: RequiredText
    url: Url
    commit: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    archive_command: Text = ""
    archive_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    note: Text = ""

    @model_validator(mode="after")
    def _has_a_reproducible_hash(self) -> "Component":
        if bool(self.archive_command) != bool(self.archive_sha256):
            raise ValueError("`archive_sha256` needs the `archive_command` that reproduces it")
        return self

    @property
    def requirement(self) -> Requirement:
        return COMPONENTS[self.component]

    @property
    def state(self) -> tuple[str, str]:
        """(kind of badge, text)."""
        if self.is_open:
            return "open", "Open"
        return _STATES[self.availability]

    @property
    def is_open(self) -> bool:
        """True if it is completely released under an open licence for its kind."""
        accepted = _CODE if self.requirement.kind == "code" else _CODE | _CONTENT
        return self.availability == Availability.RELEASED and self.licence in accepted


class Score(Record):
    model: RequiredText
    value: Annotated[float, Field(allow_inf_nan=False, strict=True)]


class Result(Sourced):
    """A published result of several models; `better` says which values are better."""

    label: RequiredText
    better: Literal["lower", "higher"]
    results: list[Score] = Field(min_length=1, max_length=20)


class Openness(Record):
    components: list[Component] = Field(max_length=len(COMPONENTS))
    results: list[Result] = Field(default=[], max_length=50)

    @model_validator(mode="after")
    def _names_each_component_once(self) -> "Openness":
        names = [one.component for one in self.components]
        if len(set(names)) < len(names):
            raise ValueError("a component is listed twice")
        return self

    @property
    def mof_class(self) -> int | None:
        """The highest class (1) whose required components are all open; None below class 3."""
        reached = None
        for mof_class in CLASSES:
            if self.missing(mof_class):
                break
            reached = mof_class
        return reached

    @property
    def verdict(self) -> str:
        return CLASSES[self.mof_class] if self.mof_class else "No class"

    @property
    def next_class(self) -> str:
        """The next higher class, or "" if the family has reached class 1."""
        return CLASSES.get((self.mof_class or 4) - 1, "")

    @property
    def lacking(self) -> list[str]:
        """Labels of the components missing for `next_class`."""
        return self.missing((self.mof_class or 4) - 1)

    def missing(self, mof_class: int) -> list[str]:
        """Labels of the components that `mof_class` requires and that are not open."""
        are_open = {one.component for one in self.components if one.is_open}
        # The framework accepts a research paper in place of a technical report.
        if "research_paper" in are_open:
            are_open.add("technical_report")
        return [
            one.label
            for name, one in COMPONENTS.items()
            if one.required and one.mof_class == mof_class and name not in are_open
        ]
