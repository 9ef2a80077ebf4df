"""Custom questions of a tier: kinds, conditions and display of answers. Plain Python, no models."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django_countries import countries

#: Prefix of the keys of custom questions; no standard question begins with it.
PREFIX = "extra_"


class Kind(models.TextChoices):
    """The type of an answer."""

    TEXT = "text", "Text, one line"
    LONG_TEXT = "long_text", "Long text"
    NUMBER = "number", "Number"
    SELECT = "select", "One choice of several"
    MULTI_SELECT = "multi_select", "Any choices of several"
    TICK = "tick", "Tick"
    DATE = "date", "Date"
    COUNTRY = "country", "Country"
    URL = "url", "Web address"
    FILE = "file", "PDF document"
    HARDWARE = "hardware", "Hardware, one machine per line"


class Step(models.TextChoices):
    """The step of the form that shows the question; the terms step has no custom questions."""

    YOU = "you", "You"
    PROJECT = "project", "Project"
    PLAN = "plan", "Plan"


@dataclass(frozen=True)
class CustomQuestion:
    """One custom question, as stored in a form version."""

    key: str
    label: str
    kind: Kind
    help_text: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    #: Key and value of the answer on which the question depends; both empty: always asked.
    condition_key: str = ""
    condition_value: str = ""
    step: Step = Step.PROJECT

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "CustomQuestion":
        """Read the output of `Question.to_json`; older form versions name no step."""
        key, value = stored.get("shown_if") or ("", "")
        return cls(
            key=stored["key"],
            label=stored["label"],
            kind=Kind(stored["kind"]),
            help_text=stored.get("help_text", ""),
            required=bool(stored.get("required")),
            choices=tuple(stored.get("choices", ())),
            condition_key=key,
            condition_value=value,
            step=Step(stored.get("step", Step.PROJECT)),
        )


def applicable(
    questions: Iterable[CustomQuestion], answers: dict[str, Any]
) -> list[CustomQuestion]:
    """Return the questions whose condition the answers meet.

    A condition on a custom question that itself does not apply is not met.
    """
    questions = list(questions)
    keys, met = {question.key for question in questions}, set[str]()
    for question in questions:
        condition = question.condition_key
        counts = condition not in keys or condition in met
        if not condition or (counts and matches(answers.get(condition), question.condition_value)):
            met.add(question.key)
    return [question for question in questions if question.key in met]


def matches(answer: Any, expected: str) -> bool:
    """True if an answer has the value that a condition expects; a tick is `yes` or `no`."""
    if isinstance(answer, list):
        return any(matches(one, expected) for one in answer)
    if isinstance(answer, bool) or answer is None:
        answer = "yes" if answer else "no"
    return str(answer).strip().casefold() == expected.strip().casefold()


def readable(kind: Kind, value: Any) -> str:
    """Return the display text of an answer."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if kind == Kind.COUNTRY:
        return countries.name(value) or str(value)
    if kind == Kind.HARDWARE:
        return hardware_text(value)
    if kind == Kind.FILE and isinstance(value, list):
        return ", ".join(str(document.get("name", "")) for document in value)
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return str(value)


def is_hardware_list(value: Any) -> bool:
    """True if the value is an answer about hardware, as a submission stores it."""
    return isinstance(value, list) and all(
        isinstance(row, dict) and {"count", "memory_gb", "kind"} <= row.keys() for row in value
    )


def hardware_text(value: Any) -> str:
    """Return hardware as typed in the form: `8 x 80 GB A100`, one machine per line."""
    if not is_hardware_list(value):
        return str(value or "")
    return "\n".join(f"{row['count']} x {row['memory_gb']} GB {row['kind']}" for row in value)
