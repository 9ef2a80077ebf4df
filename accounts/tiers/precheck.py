"""Compares an applicant's answers with a tier's terms of use."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from accounts.tiers import use_terms
from accounts.tiers.models.tier import Tier


class Weight(StrEnum):
    """The severity of a finding: against the application, doubtful, a duty, or in favour."""

    AGAINST = "against"
    DOUBT = "doubt"
    DUTY = "duty"
    FITS = "fits"


@dataclass(frozen=True)
class Finding:
    """The result of applying one term to one answer. `field` is a form key, empty for duties."""

    code: str
    weight: Weight
    field: str
    text: str

    @property
    def term(self) -> use_terms.UseTerm:
        return use_terms.TERMS[self.code]


Rule: TypeAlias = Callable[[str, Tier, Mapping[str, Any]], list[Finding]]


def precheck(tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    """Compare answers, which may be incomplete, with the tier's terms; most severe finding first.

    Findings never decide an application; reviewers see them too.
    """
    order = list(Weight)
    findings = [
        finding
        for term in use_terms.terms_of(tier.duo_codes)
        if term.code in _RULES
        for finding in _RULES[term.code](term.code, tier, answers)
    ]
    return sorted(findings, key=lambda finding: order.index(finding.weight))


#: Answers as the form and the API store them.
_YES, _NO = (True, "yes"), (False, "no")


def notices(tier: Tier) -> list[Finding]:
    """Return findings for companies and independent researchers, shown before the form."""
    org_types = ("industry_laboratory", "independent")
    findings = [finding for one in org_types for finding in precheck(tier, {"org_type": one})]
    return [finding for finding in findings if finding.field == "org_type"]


def _not_for_profit(code: str, tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    org_type = answers.get("org_type")
    if org_type == "industry_laboratory":
        text = "These weights are only for not-for-profit organisations, not for companies."
        return [Finding(code, Weight.AGAINST, "org_type", text)]
    if org_type == "independent":
        text = (
            "These weights are for not-for-profit organisations; state in your project on whose "
            "behalf you work."
        )
        return [Finding(code, Weight.DOUBT, "org_type", text)]
    return []


def _non_commercial(code: str, tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    if answers.get("noncommercial") in _NO:  # an empty answer gives no finding
        text = "These weights are for non-commercial use only."
        return [Finding(code, Weight.AGAINST, "noncommercial", text)]
    if answers.get("commercial") in _YES:
        text = (
            "Use must be non-commercial. A commercial interest in the results does not rule out "
            "an application; a reviewer considers it."
        )
        return [Finding(code, Weight.DOUBT, "commercial", text)]
    if code == use_terms.NON_COMMERCIAL and answers.get("org_type") == "industry_laboratory":
        text = "A company may apply, as long as the work itself is non-commercial."
        return [Finding(code, Weight.FITS, "org_type", text)]
    return []


def _both(code: str, tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    return [*_not_for_profit(code, tier, answers), *_non_commercial(code, tier, answers)]


def _geography(code: str, tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    country = answers.get("country")
    if country and country in tier.excluded_countries:
        text = "The licence excludes your country of work."
        return [Finding(code, Weight.AGAINST, "country", text)]
    return []


def _time_limit(code: str, tier: Tier, answers: Mapping[str, Any]) -> list[Finding]:
    text = f"Access lasts {tier.term_days} days; delete the weights when it ends."
    return [Finding(code, Weight.DUTY, "", text)]


def _duty(text: str) -> Rule:
    return lambda code, tier, answers: [Finding(code, Weight.DUTY, "", text)]


_RULES: dict[str, Rule] = {
    use_terms.NON_COMMERCIAL: _non_commercial,
    use_terms.NOT_FOR_PROFIT: _not_for_profit,
    use_terms.NOT_FOR_PROFIT_NON_COMMERCIAL: _both,
    use_terms.GEOGRAPHY: _geography,
    use_terms.TIME_LIMIT: _time_limit,
    use_terms.RESEARCH_TYPE: _duty(
        "Your project must be the kind of research that the licence allows."
    ),
    use_terms.ETHICS_APPROVAL: _duty(
        "Have your ethics approval ready: its number or the document."
    ),
    use_terms.COLLABORATION: _duty("You agree to collaborate with the model's developers."),
    use_terms.PUBLICATION: _duty("You agree to make your results public."),
    use_terms.MORATORIUM: _duty("You agree not to publish before the date stated in the licence."),
    use_terms.RETURN: _duty("You agree to share back anything you derive from the weights."),
}
