"""The extra questions of a tier, as a form version keeps them: plain Python, no records.

When one is asked, how its answer is kept, and how it reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django_countries import countries

#: An extra question's key in the answers: no question of every application begins so.
PREFIX = "extra_"


class Kind(models.TextChoices):
    """What an answer is."""

    TEXT = "text", "Text, one line"
    LONG_TEXT = "long_text", "Long text"
    NUMBER = "number", "Number"
    SELECT = "select", "One of several"
    MULTI_SELECT = "multi_select", "Any of several"
    TICK = "tick", "Tick"
    DATE = "date", "Date"
    COUNTRY = "country", "Country"
    URL = "url", "Web address"
    FILE = "file", "PDF document"
    HARDWARE = "hardware", "Hardware, one machine a line"


class Step(models.TextChoices):
    """The step of the form on which a question stands; the terms stand alone."""

    YOU = "you", "You"
    PROJECT = "project", "Project"
    PLAN = "plan", "Plan"


@dataclass(frozen=True)
class Extra:
    """One extra question, frozen in a form version."""

    key: str
    label: str
    kind: Kind
    help_text: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()
    #: The key and the value of the answer on which it depends; both empty: always asked.
    if_key: str = ""
    if_value: str = ""
    step: Step = Step.PROJECT

    @classmethod
    def of(cls, frozen: dict[str, Any]) -> "Extra":
        """Read what `Question.frozen` gave; older versions name no step."""
        key, value = frozen.get("shown_if") or ("", "")
        return cls(
            key=frozen["key"],
            label=frozen["label"],
            kind=Kind(frozen["kind"]),
            help_text=frozen.get("help_text", ""),
            required=bool(frozen.get("required")),
            choices=tuple(frozen.get("choices", ())),
            if_key=key,
            if_value=value,
            step=Step(frozen.get("step", Step.PROJECT)),
        )


def asked(extras: Iterable[Extra], answers: dict[str, Any]) -> list[Extra]:
    """Those whose condition these answers meet; a condition on one not asked is not met."""
    extras = list(extras)
    own, met = {extra.key for extra in extras}, set[str]()
    for extra in extras:
        counts = extra.if_key not in own or extra.if_key in met
        if not extra.if_key or (counts and holds(answers.get(extra.if_key), extra.if_value)):
            met.add(extra.key)
    return [extra for extra in extras if extra.key in met]


def holds(value: Any, wanted: str) -> bool:
    """Whether an answer is the one that a condition names; a tick is `yes` or `no`."""
    if isinstance(value, list):
        return any(holds(one, wanted) for one in value)
    if isinstance(value, bool) or value is None:
        value = "yes" if value else "no"
    return str(value).strip().casefold() == wanted.strip().casefold()


def readable(kind: Kind, value: Any) -> str:
    """An answer as a person reads it."""
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


def are_rows(value: Any) -> bool:
    """Whether a value is hardware as a submission keeps it."""
    return isinstance(value, list) and all(
        isinstance(row, dict) and {"count", "memory_gb", "kind"} <= row.keys() for row in value
    )


def hardware_text(value: Any) -> str:
    """Rows of hardware as they are typed: `8 x 80 GB A100`, one machine a line."""
    if not are_rows(value):
        return str(value or "")
    return "\n".join(f"{row['count']} x {row['memory_gb']} GB {row['kind']}" for row in value)
