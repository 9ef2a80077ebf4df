"""Reads the OPT family's catalogue entries from `opt_family.json`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from weights.catalogue import facts
from weights.family_facts import citations

_FOLDER = Path(__file__).parent
LICENCE = {
    "spdx_id": "LicenseRef-OPT-175B",
    "title": "OPT-175B research licence",
    "original_url": "https://github.com/facebookresearch/metaseq/blob/main/"
    "projects/OPT/MODEL_LICENSE.md",
    # The licence requires this sentence verbatim.
    "attribution": "OPT-175B is licensed under the OPT-175B license, "
    "Copyright (c) Meta Platforms, Inc. All Rights Reserved.",
}


@dataclass(frozen=True)
class Entry:
    """The fields of one checkpoint; `tier` is a slug."""

    org: str
    name: str
    title: str
    tier: str
    summary: str
    parameters: int
    facts: dict[str, dict[str, Any]]
    card: str


def licence_text() -> str:
    """The sample agreement, in Markdown."""
    return (_FOLDER / "licence.md").read_text(encoding="utf-8")


def family() -> dict[str, Any]:
    """The family's fields; its facts include the list of sources that all entries cite."""
    family = _data()["family"]
    return {
        "name": family["name"],
        "long_name": family["long_name"],
        "developer": family["developer"],
        "facts": {**family["facts"], "sources": _data()["sources"]},
    }


def checkpoints() -> list[Entry]:
    """The nine sizes, smallest first."""
    return [_entry(record) for record in _data()["checkpoints"]]


def events() -> list[dict[str, Any]]:
    """The training diary and the release history, in chronological order.

    Each has `first_day` (ISO date), `title`, `event` (the text), `cause`, `citation`, `url`,
    `checkpoint` (a name, None for the family), and `shown_date` if the day is not known.
    """
    stored = _data()["family"]["facts"]
    return [*stored["events"], *stored["release_history"]]


def series() -> list[dict[str, Any]]:
    """Curves of training: `title`, `axis`, `unit`, `points`, `checkpoint`, `citation`, `url`."""
    curves: list[dict[str, Any]] = _data()["family"]["facts"]["series"]
    return curves


def bibtex() -> str:
    """The paper's citation."""
    fields = _data()["family"]["facts"]["paper"]["bibtex_fields"]
    return citations.bibtex(citations.Citation.model_validate(fields)).rstrip("\n")


@cache
def _data() -> dict[str, Any]:
    """The parsed file. It is shared, so callers must not modify it."""
    data: dict[str, Any] = json.loads((_FOLDER / "opt_family.json").read_text(encoding="utf-8"))
    return data


def _entry(record: dict[str, Any]) -> Entry:
    labelled = {key: {"label": facts.LABELS[key], **fact} for key, fact in record["facts"].items()}
    parameters, layers = record["facts"]["parameters"]["value"], record["facts"]["layers"]["value"]
    return Entry(
        org="facebook",
        name=record["name"],
        title=record["title"],
        tier=record["tier"],
        summary=f"Decoder-only language model of the OPT family with {parameters:,} parameters in "
        f"{layers} layers, trained on 300 billion tokens of mostly English text.",
        parameters=parameters,
        facts=labelled,
        card=_card(record),
    )


def _card(record: dict[str, Any]) -> str:
    template = Template((_FOLDER / "card.md").read_text(encoding="utf-8"))
    return template.substitute(
        {key: facts.as_text(key, fact["value"]) for key, fact in record["facts"].items()},
        title=record["title"],
        limitations="\n".join(
            f"- {limitation['text']}" for limitation in _data()["family"]["facts"]["limitations"]
        ),
        access=_data()["access"][record["tier"]],
        peculiarities="".join(f"\n- {text}" for text in record["peculiarities"]),
        original_licence=LICENCE["original_url"],
        attribution=LICENCE["attribution"],
        bibtex=bibtex(),
    )
