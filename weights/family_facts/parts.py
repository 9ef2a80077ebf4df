"""Validates the sourced parts of `Family.facts`, and reads them for pages."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from accounts.web.sanitize import is_storable
from weights.family_facts.citations import Citation
from weights.family_facts.footprint import Footprint
from weights.family_facts.openness import Openness
from weights.family_facts.records import Record, RequiredText, Text, Url, parse


class Limitation(Record):
    """A known weakness of the weights: `citation` names the document at `url`."""

    text: RequiredText
    citation: RequiredText
    url: Url
    source: Text = ""


class Limitations(Record):
    """`Family.facts["limitations"]`."""

    limitations: list[Limitation] = Field(max_length=100)


@dataclass(frozen=True)
class Parts:
    """The parts of one family; None or empty for those that it does not state."""

    footprint: Footprint | None
    openness: Openness | None
    citation: Citation | None
    limitations: list[Limitation]


def validate(facts: Any) -> None:
    """Raises ValueError if facts are not an object or a part is invalid."""
    if not isinstance(facts, dict):
        raise ValueError('facts must be an object, such as {"footprint": …, "openness": …}')
    for kind, name, data in _parts(facts):
        parse(kind, name, data)
    _check_storable(facts)


def read(facts: Mapping[str, Any]) -> Parts:
    """The valid parts. Invalid ones, stored without validation, are left out."""
    found: dict[type[Record], Any] = {}
    for kind, name, data in _parts(facts):
        try:
            found[kind] = parse(kind, name, data)
        except ValueError:
            continue
    listed = found.get(Limitations)
    return Parts(
        footprint=found.get(Footprint),
        openness=found.get(Openness),
        citation=found.get(Citation),
        limitations=listed.limitations if listed else [],
    )


def _check_storable(facts: dict[str, Any]) -> None:
    """Raises ValueError for numbers and characters that a database rejects."""
    try:
        text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError("facts contain NaN or Infinity; write null, or leave it out") from error
    if not is_storable(text) or "\\u0000" in text:
        raise ValueError("facts contain a character that cannot be stored; remove or replace it")


def _parts(facts: Mapping[str, Any]) -> list[tuple[type[Record], str, Any]]:
    """(type, name, data) of each part that is present."""
    paper = facts.get("paper")
    stated: list[tuple[type[Record], str, Any]] = [
        (Footprint, "the footprint", facts.get("footprint")),
        (Openness, "the openness", facts.get("openness")),
        (Citation, "the citation", paper.get("bibtex_fields") if isinstance(paper, dict) else None),
    ]
    if facts.get("limitations") is not None:
        data = {"limitations": facts["limitations"]}
        stated.append((Limitations, "the list of limitations", data))
    return [(kind, name, data) for kind, name, data in stated if data is not None]
