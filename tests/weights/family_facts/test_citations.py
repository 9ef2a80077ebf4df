"""One citation as BibTeX, CITATION.cff and APA."""

from typing import Any

import pytest
import yaml

from weights.catalogue.opt_family import entries
from weights.family_facts import parts
from weights.family_facts.citations import Citation, apa, bibtex, cff

FIELDS = {"type": "article", "key": "doe2026", "title": "A {GPU} Study", "year": "2026"}


def cited(**fields: Any) -> Citation:
    return Citation.model_validate({**FIELDS, "author": "Doe, Jane", **fields})


def shipped() -> Citation:
    citation = parts.read(entries.family()["facts"]).citation
    assert citation is not None
    return citation


def test_bibtex_has_the_shipped_fields() -> None:
    text = bibtex(shipped())
    assert text.startswith("@misc{zhang2022opt,\n  title = {{OPT}: Open Pre-trained Transformer")
    assert "  eprint = {2205.01068},\n" in text
    assert text.count("{") == text.count("}")
    assert "source" not in text


def test_cff_is_valid_yaml_that_prefers_the_paper() -> None:
    read = yaml.safe_load(cff(shipped(), "Open Pre-trained Transformers", "Meta AI"))
    assert read["cff-version"] == "1.2.0"
    assert read["authors"] == [{"name": "Meta AI"}]
    paper = read["preferred-citation"]
    assert paper["title"] == "OPT: Open Pre-trained Transformer Language Models"
    assert paper["doi"] == "10.48550/arXiv.2205.01068"
    assert (paper["year"], len(paper["authors"])) == (2022, 19)
    assert paper["authors"][9] == {"family-names": "Lin", "given-names": "Xi Victoria"}
    assert all({"message", "title", "authors"} <= read.keys() for _ in [0])


def test_cff_keeps_hostile_text_as_text() -> None:
    hostile = "a: b\n- c # <script>\u202e".replace("\n", " ")
    read = yaml.safe_load(cff(cited(title=hostile), hostile, ""))
    assert read["title"] == read["preferred-citation"]["title"] == hostile


def test_apa_has_initials_the_year_and_the_doi() -> None:
    text = apa(shipped())
    assert text.startswith("Zhang, S., Roller, S., Goyal, N., ")
    assert "Lin, X. V., " in text
    assert text.endswith(
        "& Zettlemoyer, L. (2022). OPT: Open Pre-trained Transformer Language Models "
        "(arXiv:2205.01068). arXiv. https://doi.org/10.48550/arXiv.2205.01068"
    )


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Doe, Jane", "Doe, J. (2026)."),
        ("Doe, Jean-Luc and Roe, R.", "Doe, J.-L., & Roe, R. (2026)."),
        ("Acme Research", "Acme Research (2026)."),
        (" and ".join(f"A{i}, B" for i in range(21)), "A18, B., . . . A20, B. (2026)."),
        (" and ".join(f"A{i}, B" for i in range(20)), "A18, B., & A19, B. (2026)."),
    ],
)
def test_apa_names_authors_as_the_manual_says(author: str, expected: str) -> None:
    assert expected in apa(cited(author=author))


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "A } brace"},
        {"title": "A {{ brace"},
        {"title": "two\nlines"},
        {"key": "a,b"},
        {"year": "soon"},
        {"author": ""},
        {"note": "an unknown field"},
    ],
)
def test_fields_that_would_break_a_bibtex_entry_are_refused(fields: dict[str, str]) -> None:
    facts = {"paper": {"bibtex_fields": {**FIELDS, "author": "Doe, Jane", **fields}}}
    with pytest.raises(ValueError, match="the citation is not valid"):
        parts.validate(facts)
