"""The OPT family as catalogue entries, from the facts in `opt_family.json`: no database."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

from weights.catalogue import facts
from weights.catalogue.facts import fact

HERE = Path(__file__).parent
LICENCE = {
    "spdx_id": "LicenseRef-OPT-175B",
    "title": "OPT-175B research licence",
    "original_url": "https://github.com/facebookresearch/metaseq/blob/main/"
    "projects/OPT/MODEL_LICENSE.md",
    # The one sentence that is quoted: the licence demands it word for word.
    "attribution": "OPT-175B is licensed under the OPT-175B license, "
    "Copyright (c) Meta Platforms, Inc. All Rights Reserved.",
}
_NORMALISATION = {"pre": "before each block", "post": "after each block, without a final norm"}


@dataclass(frozen=True)
class Entry:
    """One checkpoint of the family, ready to become a record."""

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
    return (HERE / "licence.md").read_text(encoding="utf-8")


def family() -> dict[str, Any]:
    """The family's fields; its facts carry the list of sources that all entries cite."""
    found = _data()["family"]
    return {
        "name": found["name"],
        "long_name": found["long_name"],
        "developer": found["developer"],
        "facts": {**found["facts"], "sources": _data()["sources"]},
    }


def checkpoints() -> list[Entry]:
    """The nine sizes, smallest first."""
    return [_entry(found) for found in _data()["checkpoints"]]


def bibtex() -> str:
    """The paper's citation."""
    fields = dict(_data()["family"]["facts"]["paper"]["bibtex_fields"])
    kind, key = fields.pop("type"), fields.pop("key")
    fields.pop("source")
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}"


@cache
def _data() -> dict[str, Any]:
    """The file's content; callers copy what they change."""
    data: dict[str, Any] = json.loads((HERE / "opt_family.json").read_text(encoding="utf-8"))
    return data


def _entry(found: dict[str, Any]) -> Entry:
    kept = _facts(found)
    return Entry(
        org="facebook",
        name=found["id"],
        title=found["name"],
        tier=found["tier"],
        summary=_summary(found),
        parameters=found["parameters"]["exact"],
        facts=kept,
        card=_card(found, kept),
    )


def _summary(found: dict[str, Any]) -> str:
    shape = found["architecture"]
    return (
        f"Decoder-only language model of the OPT family with {found['parameters']['exact']:,} "
        f"parameters in {shape['layers']} layers, trained on 300 billion tokens of mostly "
        "English text."
    )


def _facts(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Every known fact of one size with its source, in the order of display."""
    kept = {
        **_architecture(found),
        **{
            key: _sourced(key, found[key])
            for key in ("vocab_rows", "training_tokens", "learning_rate_peak")
        },
        "tensor_parallel_training": _sourced(
            "tensor_parallel_training", found["tensor_parallel_training"]
        ),
        "batch_tokens": fact(
            "batch_tokens", found["batch_tokens"]["exact"], found["batch_tokens"]["source"]
        ),
        "precision": _sourced("precision", found["precision_published"]),
        "bytes_fp16": _sourced("bytes_fp16", found["bytes_fp16"]),
        "bytes_fp32": _sourced("bytes_fp32", found["bytes_fp32"]),
        "files": _files(found["published_files"]),
        "release_date": _sourced("release_date", found["release_date"]),
    }
    if found["id"] == "opt-175b":
        kept["carbon"] = _carbon()
    return {key: kept[key] for key in facts.LABELS if key in kept}


def _architecture(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    shape, count = found["architecture"], found["parameters"]
    source = _cited(shape)
    kept = {
        key: fact(key, shape[key], source)
        for key in ("layers", "heads", "d_model", "head_dim", "context_length")
    }
    kept["ffn_dim"] = fact("ffn_dim", shape["ffn_dim"], shape["ffn_source"])
    kept["parameters"] = fact(
        "parameters",
        count["exact"],
        count["source"],
        note=count["derivation"],
        status=count["status"],
    )
    if found["word_embed_proj_dim"]["value"] != shape["d_model"]:
        kept["word_embed_proj_dim"] = _sourced("word_embed_proj_dim", found["word_embed_proj_dim"])
    norm = found["normalisation"]
    kept["normalisation"] = _sourced(
        "normalisation", {**norm, "value": _NORMALISATION[norm["value"]]}
    )
    return kept


def _files(found: dict[str, Any]) -> dict[str, Any]:
    count = found["count"]
    text = f"{count} {'file' if count == 1 else 'files'} in metaseq's layout, {found['layout']}"
    return fact("files", text, found["source"], note=found.get("why", ""))


def _carbon() -> dict[str, Any]:
    carbon = _data()["family"]["facts"]["carbon"]
    tonnes = carbon["opt_175b_tonnes_co2eq"]
    return fact(
        "carbon",
        f"{tonnes['value']} tonnes CO2eq",
        _cited(tonnes),
        note="With ablations, baselines and downtime "
        f"{carbon['with_ablations_baselines_downtime']['value']}.",
    )


def _sourced(key: str, found: dict[str, Any]) -> dict[str, Any]:
    """A fact of the file, with where in its source it stands."""
    return fact(
        key,
        found["value"],
        _cited(found),
        note=found.get("note", ""),
        status=found.get("status", ""),
    )


def _cited(found: dict[str, Any]) -> str:
    where = found.get("where")
    return f"{found['source']}, {where}" if where else str(found["source"])


def _card(found: dict[str, Any], kept: dict[str, dict[str, Any]]) -> str:
    text = {key: facts.as_text(key, one["value"]) for key, one in kept.items()}
    template = Template((HERE / "card.md").read_text(encoding="utf-8"))
    return template.substitute(
        text,
        title=found["name"],
        limitations="\n".join(
            f"- {one['text']}" for one in _data()["family"]["facts"]["limitations"]
        ),
        access=_ACCESS[found["tier"]],
        peculiarities=_PECULIARITIES.get(found["id"], ""),
        original_licence=LICENCE["original_url"],
        attribution=LICENCE["attribution"],
        bibtex=bibtex(),
    )


_ACCESS = {
    "open": "This size was released without an application. The licence binds all the same: it "
    "covers every size and excludes commercial use.",
    "opt-175b": "This size was released to researchers on request: an application, an approval, "
    "and a link by e-mail.",
}
_PECULIARITIES = {
    "opt-350m": "\n- It is the odd one of the family: trained without model parallelism, with the "
    "layer norm after each block and no final norm, and with embeddings of width 512 between two "
    "projections. Code that assumes the layout of its siblings fails on it.",
    "opt-66b": "\n- Its 8 files have a published list of MD5 sums in which parts 5 and 6 carry the "
    "same sum, so one of the two lines is probably a slip.",
    "opt-175b": "\n- The 992 files are 8 tensor-parallel parts of 124 shards each, one for every "
    "GPU of the run. Together they hold 349,208,936,448 bytes of float16 weights (325.2 GiB); the "
    "published figure of about 328 GB fits binary units."
    "\n- On 3 June 2022 a user reported 18 wrong values in one distributed file, part 5 shard 51; "
    "the MD5 list followed a day later.",
}
