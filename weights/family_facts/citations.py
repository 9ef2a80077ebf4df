"""The citation of a family, from `Family.facts["paper"]["bibtex_fields"]`: BibTeX, CFF and APA."""

import re
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field

from weights.family_facts.records import Record, RequiredText, Text

#: Maximum authors that APA style (7th edition) lists in full.
_APA_AUTHORS = 20


def _balanced(text: str) -> str:
    depth = 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            break
    if depth or "\n" in text:
        raise ValueError("its braces do not match, or it has several lines")
    return text


_Value = Annotated[RequiredText, AfterValidator(_balanced)]
_Optional = Annotated[Text, AfterValidator(_balanced)]


class Citation(Record):
    """The fields of a BibTeX entry; authors are joined by ` and `, each as `Family, Given`."""

    type: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=30)]
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.-]+$", max_length=80)]
    title: _Value
    author: Annotated[str, Field(min_length=3, max_length=5000), AfterValidator(_balanced)]
    year: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    eprint: _Optional = ""
    archivePrefix: _Optional = ""
    primaryClass: _Optional = ""
    doi: _Optional = ""
    journal: _Optional = ""
    booktitle: _Optional = ""
    publisher: _Optional = ""
    source: Text = ""

    @property
    def authors(self) -> list[tuple[str, str]]:
        """(family name, given names); a name without a comma is an organisation."""
        names = (name.strip() for name in self.author.split(" and "))
        pairs = (name.partition(",") for name in names if name)
        return [(family.strip(), given.strip()) for family, _, given in pairs]

    @property
    def plain_title(self) -> str:
        return re.sub(r"[{}]", "", self.title)

    @property
    def known_doi(self) -> str:
        """The DOI; arXiv assigns one to each paper."""
        is_arxiv = self.archivePrefix.lower() == "arxiv" and self.eprint
        return self.doi or (f"10.48550/arXiv.{self.eprint}" if is_arxiv else "")


def bibtex(citation: Citation) -> str:
    fields = citation.model_dump(exclude={"type", "key", "source"})
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@{citation.type}{{{citation.key},\n{lines}}}\n"


def cff(citation: Citation, title: str, developer: str) -> str:
    """A CITATION.cff (Citation File Format 1.2.0) of the weights, which prefers the paper."""
    paper: dict[str, Any] = {
        "type": "article",
        "title": citation.plain_title,
        "authors": [_cff_person(*author) for author in citation.authors],
        "year": int(citation.year),
        **({"doi": citation.known_doi} if citation.known_doi else {}),
        **({"journal": citation.journal} if citation.journal else {}),
    }
    document = {
        "cff-version": "1.2.0",
        "message": "If you use these weights, please cite the paper.",
        "type": "dataset",
        "title": title,
        "authors": [{"name": developer}] if developer else paper["authors"],
        "preferred-citation": paper,
    }
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100))


def apa(citation: Citation) -> str:
    """One line in APA style, 7th edition."""
    names = [_apa_person(*author) for author in citation.authors]
    if len(names) > _APA_AUTHORS:
        authors = f"{', '.join(names[: _APA_AUTHORS - 1])}, . . . {names[-1]}"
    elif len(names) > 1:
        authors = f"{', '.join(names[:-1])}, & {names[-1]}"
    else:
        authors = names[0]
    is_arxiv = citation.archivePrefix.lower() == "arxiv" and citation.eprint
    title = citation.plain_title + (f" (arXiv:{citation.eprint})" if is_arxiv else "")
    where = citation.journal or citation.booktitle or citation.publisher
    where = where or ("arXiv" if is_arxiv else "")
    parts = [f"{authors} ({citation.year}). {title}.", f"{where}." if where else ""]
    parts.append(f"https://doi.org/{citation.known_doi}" if citation.known_doi else "")
    return " ".join(part for part in parts if part)


def _cff_person(family: str, given: str) -> dict[str, str]:
    return {"family-names": family, "given-names": given} if given else {"name": family}


def _apa_person(family: str, given: str) -> str:
    initials = [
        "-".join(f"{part[0]}." for part in name.split("-") if part) for name in given.split()
    ]
    return f"{family}, {' '.join(initials)}" if given else family
