"""A tier's terms of use as codes of the Data Use Ontology: plain Python, no records.

The ontology is kept by GA4GH (https://github.com/EBISPOT/DUO); its codes let a machine read
what a licence text says to people. Here stand those that make sense for model weights, in our
own words. One code is a permission, what the use may be; the others narrow it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from accounts.errors import InvalidValue

if TYPE_CHECKING:
    from accounts.tiers.models import Tier

_PAGES = "http://purl.obolibrary.org/obo/"


class Kind(StrEnum):
    PERMISSION = "permission"
    MODIFIER = "modifier"


@dataclass(frozen=True)
class UseTerm:
    """One code: the ontology's own label and short name, and what it means for weights."""

    code: str
    short: str
    label: str
    words: str
    kind: Kind

    @property
    def url(self) -> str:
        """The ontology's page of this code."""
        return _PAGES + self.code.replace(":", "_")


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

#: In the order of display: what the use may be, then what narrows it.
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

#: Only one of these says who may use the weights and what for.
_EXCLUSIVE = frozenset({NON_COMMERCIAL, NOT_FOR_PROFIT, NOT_FOR_PROFIT_NON_COMMERCIAL})


def check(codes: Iterable[str]) -> list[str]:
    """The codes in the order of display; raises InvalidValue where they say no clear thing."""
    given = set(codes)
    if unknown := sorted(given - TERMS.keys()):
        raise InvalidValue(
            f"{unknown[0]!r} is no code of this list; see accounts/tiers/use_terms.py"
        )
    permissions = [code for code in TERMS if code in given and _is_permission(code)]
    if given and len(permissions) != 1:
        raise InvalidValue("choose exactly one permission; modifiers narrow it")
    if NO_RESTRICTION in given and len(given) > 1:
        raise InvalidValue(f"{NO_RESTRICTION} allows any use; it takes no modifier")
    if len(given & _EXCLUSIVE) > 1:
        raise InvalidValue(
            f"choose one of {', '.join(sorted(_EXCLUSIVE))}: the first already says both"
        )
    return [code for code in TERMS if code in given]


def terms_of(codes: Iterable[str]) -> list[UseTerm]:
    """What the codes mean, in the order of display."""
    given = set(codes)
    return [term for code, term in TERMS.items() if code in given]


def _is_permission(code: str) -> bool:
    return TERMS[code].kind is Kind.PERMISSION


# -- the terms against what an applicant says ------------------------------------------------


class Weight(StrEnum):
    """How much a finding says: it stands against the terms, it may, it is a duty, it fits."""

    AGAINST = "against"
    DOUBT = "doubt"
    DUTY = "duty"
    FITS = "fits"


@dataclass(frozen=True)
class Finding:
    """What one code says of one answer; `field` is a key of the form, empty for duties."""

    code: str
    weight: Weight
    field: str
    text: str

    @property
    def term(self) -> UseTerm:
        return TERMS[self.code]


Rule: TypeAlias = "Callable[[str, Tier, Mapping[str, Any]], list[Finding]]"


def precheck(tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    """What the tier's terms say of these answers, which may be few: the gravest first.

    It tells and never decides: a reviewer reads the same findings.
    """
    order = list(Weight)
    found = [
        finding
        for term in terms_of(tier.duo_codes)
        if term.code in _RULES
        for finding in _RULES[term.code](term.code, tier, answers)
    ]
    return sorted(found, key=lambda finding: order.index(finding.weight))


#: As the form and as the API keep them.
_YES, _NO = (True, "yes"), (False, "no")


def before(tier: "Tier") -> list[Finding]:
    """What companies and lone researchers are told before they fill in anything."""
    kinds = ("industry_laboratory", "independent")
    found = [finding for kind in kinds for finding in precheck(tier, {"org_type": kind})]
    return [finding for finding in found if finding.field == "org_type"]


def _not_for_profit(code: str, tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    kind = answers.get("org_type")
    if kind == "industry_laboratory":
        text = "These weights go to not-for-profit organisations only, not to companies."
        return [Finding(code, Weight.AGAINST, "org_type", text)]
    if kind == "independent":
        text = (
            "These weights go to not-for-profit organisations; say in your project on whose "
            "behalf you work."
        )
        return [Finding(code, Weight.DOUBT, "org_type", text)]
    return []


def _non_commercial(code: str, tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    if answers.get("noncommercial") in _NO:  # an empty answer is none of them
        text = "These weights are for non-commercial use only."
        return [Finding(code, Weight.AGAINST, "noncommercial", text)]
    if answers.get("commercial") in _YES:
        text = (
            "Use must be non-commercial. A commercial interest in the results does not rule an "
            "application out; a reviewer weighs what you say of it."
        )
        return [Finding(code, Weight.DOUBT, "commercial", text)]
    if code == NON_COMMERCIAL and answers.get("org_type") == "industry_laboratory":
        text = "A company may apply, as long as the work itself is non-commercial."
        return [Finding(code, Weight.FITS, "org_type", text)]
    return []


def _both(code: str, tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    return [*_not_for_profit(code, tier, answers), *_non_commercial(code, tier, answers)]


def _geography(code: str, tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    country = answers.get("country")
    if country and country in {str(one) for one in tier.blocked_countries}:
        text = "The licence excludes your country of work."
        return [Finding(code, Weight.AGAINST, "country", text)]
    return []


def _time_limit(code: str, tier: "Tier", answers: Mapping[str, Any]) -> list[Finding]:
    text = f"Access lasts {tier.term_days} days; delete the weights when it ends."
    return [Finding(code, Weight.DUTY, "", text)]


def _duty(text: str) -> Rule:
    return lambda code, tier, answers: [Finding(code, Weight.DUTY, "", text)]


_RULES: dict[str, Rule] = {
    NON_COMMERCIAL: _non_commercial,
    NOT_FOR_PROFIT: _not_for_profit,
    NOT_FOR_PROFIT_NON_COMMERCIAL: _both,
    GEOGRAPHY: _geography,
    TIME_LIMIT: _time_limit,
    RESEARCH_TYPE: _duty("Your project must be of the kind of research that the licence names."),
    ETHICS_APPROVAL: _duty("Have your ethics approval at hand: its number or its document."),
    COLLABORATION: _duty("You agree to work with the model's makers."),
    PUBLICATION: _duty("You agree to make your results public."),
    MORATORIUM: _duty("You agree to publish nothing before the date that the licence names."),
    RETURN: _duty("You agree to return what you derive from the weights."),
}
