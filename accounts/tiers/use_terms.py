"""A tier's terms of use as codes of the Data Use Ontology (DUO). Plain Python, no models.

GA4GH maintains the ontology (https://github.com/EBISPOT/DUO). Its codes make the terms of a licence
machine-readable. This module lists the codes that apply to model weights, with our own
explanations. One code is the permission; modifiers narrow it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from accounts.errors import InvalidValue

_BASE_URL = "http://purl.obolibrary.org/obo/"


class Kind(StrEnum):
    PERMISSION = "permission"
    MODIFIER = "modifier"


@dataclass(frozen=True)
class UseTerm:
    """One code with the ontology's label and short name, and its meaning for weights."""

    code: str
    short: str
    label: str
    words: str
    kind: Kind

    @property
    def url(self) -> str:
        """The ontology's page about this code."""
        return _BASE_URL + self.code.replace(":", "_")


def _permission(number: int, short: str, label: str, words: str) -> UseTerm:
    return UseTerm(f"DUO:{number:07d}", short, label, words, Kind.PERMISSION)


def _modifier(number: int, short: str, label: str, words: str) -> UseTerm:
    return UseTerm(f"DUO:{number:07d}", short, label, words, Kind.MODIFIER)


NO_RESTRICTION = "DUO:0000004"
RESEARCH_TYPE = "DUO:0000012"
NOT_FOR_PROFIT_NON_COMMERCIAL = "DUO:0000018"
PUBLICATION = "DUO:0000019"
COLLABORATION = "DUO:0000020"
ETHICS_APPROVAL = "DUO:0000021"
GEOGRAPHY = "DUO:0000022"
MORATORIUM = "DUO:0000024"
TIME_LIMIT = "DUO:0000025"
RETURN = "DUO:0000029"
NOT_FOR_PROFIT = "DUO:0000045"
NON_COMMERCIAL = "DUO:0000046"

#: In the order of display: permissions, then modifiers.
TERMS: dict[str, UseTerm] = {
    term.code: term
    for term in [
        _permission(4, "NRES", "no restriction", "Any use is allowed."),
        _permission(42, "GRU", "general research use", "Research of any kind is allowed."),
        _permission(
            6,
            "HMB",
            "health or medical or biomedical research",
            "Research for health, medicine or biomedicine is allowed.",
        ),
        _modifier(
            46,
            "NCU",
            "non-commercial use only",
            "Non-commercial use only. Non-commercial work of a company is fine.",
        ),
        _modifier(
            18,
            "NPUNCU",
            "not for profit, non commercial use only",
            "Not-for-profit organisations only, and non-commercial use only.",
        ),
        _modifier(
            45,
            "NPU",
            "not for profit organisation use only",
            "Not-for-profit organisations only.",
        ),
        _modifier(
            12, "RS", "research specific restrictions", "Only the research that the licence names."
        ),
        _modifier(26, "US", "user specific restriction", "Only people who were approved."),
        _modifier(27, "PS", "project specific restriction", "Only the project that was approved."),
        _modifier(
            28,
            "IS",
            "institution specific restriction",
            "Only within the organisation that was approved.",
        ),
        _modifier(22, "GS", "geographical restriction", "Not in every country."),
        _modifier(25, "TS", "time limit on use", "For a limited time."),
        _modifier(21, "IRB", "ethics approval required", "With a documented ethics approval."),
        _modifier(20, "COL", "collaboration required", "In collaboration with the model's makers."),
        _modifier(19, "PUB", "publication required", "Results are made public."),
        _modifier(24, "MOR", "publication moratorium", "Nothing is published before a set date."),
        _modifier(
            29,
            "RTN",
            "return to database or resource",
            "What is derived from the weights is returned to the model's makers.",
        ),
    ]
}

#: A tier may have at most one of these.
_EXCLUSIVE = frozenset({NON_COMMERCIAL, NOT_FOR_PROFIT, NOT_FOR_PROFIT_NON_COMMERCIAL})


def check(codes: Iterable[str]) -> list[str]:
    """Return the codes in the order of display.

    Raises InvalidValue for an unknown code or a contradictory combination.
    """
    chosen = set(codes)
    if unknown := sorted(chosen - TERMS.keys()):
        raise InvalidValue(
            f"{unknown[0]!r} is not a supported code; see accounts/tiers/use_terms.py"
        )
    permissions = [code for code in chosen if TERMS[code].kind is Kind.PERMISSION]
    if chosen and len(permissions) != 1:
        raise InvalidValue("choose exactly one permission; modifiers narrow it")
    if NO_RESTRICTION in chosen and len(chosen) > 1:
        raise InvalidValue(f"{NO_RESTRICTION} allows any use; it takes no modifier")
    if len(chosen & _EXCLUSIVE) > 1:
        raise InvalidValue(
            f"choose one of {', '.join(sorted(_EXCLUSIVE))}: the first already includes both"
        )
    return [code for code in TERMS if code in chosen]


def terms_of(codes: Iterable[str]) -> list[UseTerm]:
    """Return the terms of these codes, in the order of display."""
    chosen = set(codes)
    return [term for code, term in TERMS.items() if code in chosen]
