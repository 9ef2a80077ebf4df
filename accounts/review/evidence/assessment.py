"""Assesses the facts: pure functions, one for each line of evidence."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from django_countries import countries

from accounts.applications.free_mail import is_free
from accounts.applications.models.form import PREFIX
from accounts.applications.questions import LABELS
from accounts.applications.transition_table import Status
from accounts.release_interface import CheckpointSize
from accounts.review.evidence import domains
from accounts.review.evidence.applicant_facts import ON_HOLD, Facts
from accounts.review.evidence.hardware import Machines, parse_hardware
from accounts.review.models import Conflict, ProfileLook
from accounts.review.reasons import Reason
from accounts.tiers.precheck import Weight

#: An account of this age was probably not created for this application.
ESTABLISHED = timedelta(days=30)
#: Custom questions of a tier whose answers are evidence.
SITE, HARDWARE = f"{PREFIX}site", f"{PREFIX}hardware"


class Level(StrEnum):
    """The assessment of a fact; the page shows it by shape, word and colour."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    GREY = "grey"

    @property
    def word(self) -> str:
        return {"green": "good", "amber": "look", "red": "stop", "grey": "neutral"}[self.value]


@dataclass(frozen=True)
class Line:
    """One fact in a short sentence, with its label and level.

    `applicants` is text of the applicant that belongs to the fact, such as an address.
    """

    key: str
    level: Level
    label: str
    fact: str
    applicants: str = ""


def assess(facts: Facts) -> list[Line]:
    """Return all lines in the order of the page."""
    return [
        _address(facts),
        _domain(facts),
        _orcid(facts),
        _profile(facts),
        _account(facts),
        _earlier(facts),
        _country(facts),
        _licence(facts),
        _commercial(facts),
        *_terms(facts),
        _conflict(facts),
        *_hardware(facts),
    ]


def _address(facts: Facts) -> Line:
    address = _text(facts, "work_email")
    if not address:
        return Line("address", Level.GREY, "Address", "none")
    if address.lower() in {one.lower() for one in facts.verified}:
        return Line("address", Level.GREEN, "Address", "confirmed", address)
    return Line("address", Level.RED, "Address", "not confirmed", address)


def _domain(facts: Facts) -> Line:
    address = _text(facts, "work_email")
    domain = domains.of_address(address)
    if not domain:
        return Line("domain", Level.GREY, "Domain", "nothing to compare")
    if is_free(address):
        return Line("domain", Level.AMBER, "Domain", f"{domain} is free mail")
    for key, whose in ((SITE, "the organisation's site"), ("profile_url", "the profile's site")):
        site = domains.of_site(_text(facts, key))
        if site == domain:
            return Line("domain", Level.GREEN, "Domain", f"{domain} is {whose}")
        if site:
            return Line("domain", Level.AMBER, "Domain", f"{domain} is not {whose}, {site}")
    return Line("domain", Level.GREY, "Domain", f"no site to compare with {domain}")


def _orcid(facts: Facts) -> Line:
    if not facts.can_link_orcid:
        return Line("orcid", Level.GREY, "ORCID", "sign-in is not configured")
    if facts.orcid:
        return Line("orcid", Level.GREEN, "ORCID", "linked", facts.orcid)
    return Line("orcid", Level.GREY, "ORCID", "not linked")


def _profile(facts: Facts) -> Line:
    url = _text(facts, "profile_url")
    if not url:
        level = Level.GREY if facts.orcid else Level.AMBER
        return Line("profile", level, "Profile", "none")
    level, fact = _profile_page(facts.profile)
    return Line("profile", level, "Profile", fact, urlsplit(url).hostname or "")


def _profile_page(look: ProfileLook | None) -> tuple[Level, str]:
    """Return the result of requesting the page; a site that refuses programs proves nothing."""
    outcome = look.outcome if look else ""
    status = f" (HTTP {look.status})" if look and look.status else ""
    if not look or not outcome:
        return Level.GREY, "not requested by the portal"
    if outcome == ProfileLook.Outcome.ANSWERS:
        return Level.GREEN, "the page exists"
    if outcome == ProfileLook.Outcome.REFUSES:
        return Level.GREY, f"the site refuses programs{status}"
    if outcome == ProfileLook.Outcome.GONE:
        return Level.AMBER, f"there is no such page{status}"
    if outcome == ProfileLook.Outcome.INSIDE:
        return Level.AMBER, "the address is not public"
    if look.is_settled:
        return Level.AMBER, f"no answer in {look.tries} tries{status}"
    return Level.GREY, f"no answer yet{status}"


def _account(facts: Facts) -> Line:
    if facts.is_suspended:
        return Line("account", Level.RED, "Account", "suspended by staff")
    age = facts.now - facts.joined
    level = Level.GREEN if age >= ESTABLISHED else Level.GREY
    return Line("account", level, "Account", _age(age))


def _earlier(facts: Facts) -> Line:
    if facts.breaches:
        return Line(
            "earlier",
            Level.RED,
            "Earlier",
            f"access taken: {'; '.join(sorted({_breach(code) for code in facts.breaches}))}",
        )
    if not facts.earlier:
        return Line("earlier", Level.GREY, "Earlier", "no other application")
    counts = Counter(Status(one.status).label.lower() for one in facts.earlier)
    fact = ", ".join(f"{count} {label}" for label, count in counts.most_common())
    refused = [one for one in facts.earlier if one.status == Status.REJECTED]
    if refused:
        labels = sorted({Reason(code).label for one in refused for code in one.reasons})
        return Line("earlier", Level.AMBER, "Earlier", f"{fact} ({'; '.join(labels)})")
    return Line("earlier", Level.GREEN, "Earlier", fact)


def _breach(code: str) -> str:
    return code if code == ON_HOLD else str(Reason(code).label)


def _country(facts: Facts) -> Line:
    code = _text(facts, "country")
    if not code:
        return Line("country", Level.GREY, "Country", "none given")
    name = str(countries.name(code) or code)
    if code in facts.blocked_countries:
        return Line("country", Level.RED, "Country", f"{name}: the tier excludes it")
    return Line("country", Level.GREEN, "Country", f"{name}: allowed")


def _licence(facts: Facts) -> Line:
    if facts.accepted is None:
        return Line("licence", Level.GREY, "Licence", "none accepted")
    accepted, in_force = facts.accepted, facts.in_force
    if in_force is None or in_force.pk == accepted.pk:
        return Line("licence", Level.GREEN, "Licence", f"version {accepted.version}, in force")
    fact = f"accepted {accepted.version}, in force is {in_force.version}"
    return Line("licence", Level.AMBER, "Licence", fact)


def _commercial(facts: Facts) -> Line:
    answer = facts.answers.get("commercial")
    if answer in (None, ""):
        return Line("commercial", Level.GREY, "Commercial", "not answered")
    if answer in (True, "yes"):
        return Line("commercial", Level.AMBER, "Commercial", "interest stated")
    return Line("commercial", Level.GREEN, "Commercial", "no interest")


def _terms(facts: Facts) -> list[Line]:
    """Return how the answers fit the terms of use; the country has its own line."""
    levels = {Weight.AGAINST: Level.RED, Weight.DOUBT: Level.AMBER, Weight.FITS: Level.GREEN}
    findings = [one for one in facts.findings if one.weight in levels and one.field != "country"]
    return [
        Line("terms", levels[one.weight], one.term.short, f"{one.weight}: {LABELS[one.field]}")
        for one in findings
    ]


def _conflict(facts: Facts) -> Line:
    if facts.conflict is not None:
        is_declared = facts.conflict != Conflict.REJECTED
        text = "you declared a conflict" if is_declared else f"you {Conflict.REJECTED}"
        return Line("conflict", Level.RED, "Conflict", text)
    organisations = _organisations(facts.verified)
    shared = sorted(organisations & _organisations(facts.reviewer_addresses))
    if shared:
        return Line("conflict", Level.AMBER, "Conflict", f"you share {shared[0]}")
    return Line("conflict", Level.GREEN, "Conflict", "none known")


def _organisations(addresses: list[str]) -> set[str]:
    return {domains.of_address(one) for one in addresses if not is_free(one)} - {""}


def _hardware(facts: Facts) -> list[Line]:
    if not facts.sizes:
        return []
    machines = parse_hardware(facts.answers.get(HARDWARE))
    if not machines:
        return [Line("hardware", Level.GREY, "Hardware", "none named")]
    return [_fit(size, machines) for size in facts.sizes]


def _fit(size: CheckpointSize, machines: list[Machines]) -> Line:
    results = [(one, one.fit(size)) for one in machines]
    fits = [_with_free(one, fit.free_percent) for one, fit in results if fit.fits]
    short = [str(one) for one, fit in results if not fit.fits]
    parts = []
    if fits:
        parts.append(f"fits {', '.join(fits)}")
    if short:
        parts.append(f"not {', '.join(short)}")
    level = Level.GREEN if fits else Level.AMBER
    fact = f"{_gigabytes(size.size)} at 2 bytes: {'; '.join(parts)}"
    return Line("hardware", level, size.name, fact)


def _with_free(machines: Machines, percent: int | None) -> str:
    return str(machines) if percent is None else f"{machines} ({percent} % free)"


def _gigabytes(size: int) -> str:
    whole = size / 10**9
    return f"{whole:,.0f} GB" if whole >= 10 else f"{whole:.1f} GB"


def _age(age: timedelta) -> str:
    if age.days < 1:
        return "created today"
    if age.days < 60:
        return f"{age.days} day{'s' if age.days > 1 else ''} old"
    if age.days < 730:
        return f"{age.days // 30} months old"
    return f"{age.days // 365} years old"


def _text(facts: Facts, key: str) -> str:
    return str(facts.answers.get(key) or "").strip()
