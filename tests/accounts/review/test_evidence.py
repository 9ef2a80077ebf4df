"""The evidence strip: each fact beside an application, and its assessment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.applications.workflow import conflicts, decisions
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.release_interface import CheckpointSize
from accounts.review import evidence
from accounts.review.evidence import domains
from accounts.review.evidence.applicant_facts import Facts, gather
from accounts.review.evidence.assessment import Level, assess
from accounts.review.evidence.earlier_applications import EarlierApplication
from accounts.review.evidence.hardware import Machines, parse_hardware
from accounts.review.models import ProfileLook
from accounts.roles.permissions import Role
from accounts.tiers import precheck
from accounts.tiers.models import LicenceVersion, Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint

NOW = datetime(2031, 3, 1, tzinfo=UTC)
#: All facts favour this applicant.
GOOD = Facts(
    answers={
        **factories.ANSWERS,
        "work_email": "ada@cs.uni.example",
        "extra_site": "https://www.uni.example/",
        "extra_hardware": [{"count": 8, "memory_gb": 80, "kind": "A100"}],
    },
    verified=["ada@cs.uni.example"],
    can_link_orcid=True,
    orcid="0000-0002-1825-0097",
    profile=ProfileLook(outcome=ProfileLook.Outcome.ANSWERS, status=200),
    joined=NOW - timedelta(days=400),
    earlier=[EarlierApplication("A-2030-00001", "opt-175b", "approved")],
    breaches=[],
    is_suspended=False,
    blocked_countries=frozenset({"KP"}),
    accepted=LicenceVersion(pk=1, version="1"),
    in_force=LicenceVersion(pk=1, version="1"),
    reviewer_addresses=["rev@elsewhere.example"],
    conflict=None,
    findings=[],
    sizes=[CheckpointSize("opt-175b", 350 * 10**9)],
    now=NOW,
)


def line(key: str, **changed: Any) -> tuple[str, str]:
    """The level of one line of the strip, and its fact, with the `changed` facts."""
    answers = GOOD.answers | changed.pop("answers", {})
    found = next(one for one in assess(replace(GOOD, answers=answers, **changed)) if one.key == key)
    return found.level.value, found.fact


def test_everything_may_be_green() -> None:
    assert {one.level for one in assess(GOOD)} == {Level.GREEN}


def test_nothing_known_is_grey_and_never_an_error() -> None:
    empty = replace(
        GOOD, answers={}, verified=[], orcid="", accepted=None, earlier=[], can_link_orcid=False
    )
    levels = {one.key: one.level for one in assess(replace(empty, joined=NOW, sizes=[]))}
    assert {key for key, level in levels.items() if level != Level.GREY} == {"profile", "conflict"}


def test_the_address_must_be_confirmed_by_its_holder() -> None:
    assert line("address", verified=["ADA@cs.uni.example"])[0] == "green"
    assert line("address", verified=["ada@else.example"]) == ("red", "not confirmed")


@pytest.mark.parametrize(
    ("email", "site", "profile", "level"),
    [
        ("a@cs.ox.ac.uk", "https://www.ox.ac.uk/", "", "green"),
        ("a@cs.ox.ac.uk", "https://cam.ac.uk/", "", "amber"),
        ("a@cs.ox.ac.uk", "", "https://users.ox.ac.uk/~a", "green"),
        ("a@cs.ox.ac.uk", "", "https://orcid.org/0000-0002-1825-0097", "grey"),
        ("a@lab.example", "", "https://a.github.io/", "grey"),
        ("a@lab.example", "", "", "grey"),
        ("a@evil.example", "https://ox.ac.uk/", "https://evil.example/a", "amber"),
        ("a@gmail.com", "https://gmail.com/", "", "amber"),
        ("a@xn--mnchen-3ya.de", "https://www.münchen.de", "", "green"),
        ("no address", "https://ox.ac.uk", "", "grey"),
    ],
)
def test_the_domain_is_held_against_the_organisations_site(
    email: str, site: str, profile: str, level: str
) -> None:
    data = {"work_email": email, "extra_site": site, "profile_url": profile}
    assert line("domain", answers=data)[0] == level


def test_a_site_of_ones_own_is_not_taken_for_the_organisations() -> None:
    data = {"work_email": "a@lab.example", "extra_site": "", "profile_url": "https://lab.example"}
    assert line("domain", answers=data) == ("green", "lab.example is the profile's site")
    data |= {"extra_site": "https://lab.example/"}
    assert line("domain", answers=data) == ("green", "lab.example is the organisation's site")


@pytest.mark.parametrize("url", ["http://[broken", "https://", "javascript:alert(1)", "ox.ac.uk"])
def test_an_invalid_site_proves_nothing(url: str) -> None:
    assert domains.of_site(url) == ""


def test_orcid_is_unknown_while_it_cannot_be_linked() -> None:
    assert line("orcid", can_link_orcid=False, orcid="") == ("grey", "sign-in is not configured")
    assert line("orcid", orcid="") == ("grey", "not linked")


def test_a_profile_is_required_unless_orcid_is_linked() -> None:
    assert line("profile", answers={"profile_url": ""})[0] == "grey"
    assert line("profile", answers={"profile_url": ""}, orcid="")[0] == "amber"


@pytest.mark.parametrize(
    ("outcome", "tries", "spoken"),
    [
        ("answers", 1, ("green", "the page exists")),
        ("refuses", 1, ("grey", "the site refuses programs (HTTP 403)")),
        ("gone", 1, ("amber", "there is no such page (HTTP 403)")),
        ("inside", 1, ("amber", "the address is not public")),
        ("silent", 2, ("grey", "no answer yet (HTTP 403)")),
        ("silent", 3, ("amber", "no answer in 3 tries (HTTP 403)")),
        ("", 1, ("grey", "not requested by the portal")),
    ],
)
def test_a_profile_is_judged_by_the_response_of_its_page(
    outcome: str, tries: int, spoken: tuple[str, str]
) -> None:
    look = ProfileLook(outcome=outcome, tries=tries, status=403)
    assert line("profile", profile=look) == spoken


def test_earlier_outcomes_are_shown() -> None:
    refused = EarlierApplication("A-1", "t", "rejected", ["spam"])
    assert line("earlier", earlier=[refused]) == (
        "amber",
        "1 rejected (This is not a research application)",
    )
    assert line("earlier", breaches=["leak", "leak"]) == (
        "red",
        "access taken: Weights were passed on",
    )
    assert line("earlier", earlier=[])[0] == "grey"


def test_a_suspended_account_is_red_however_old() -> None:
    assert line("account", is_suspended=True) == ("red", "suspended by staff")


def test_access_on_hold_counts_as_a_breach(
    gated_tier: Tier, applicant: User, lead_reviewer: User
) -> None:
    grant = factories.grant(applicant, factories.tier("elsewhere"))
    lifecycle.suspend(grant, by=lead_reviewer, reason="We look into a report.")
    application = factories.submitted(applicant, gated_tier)
    assert gather(application, lead_reviewer).breaches == ["on hold"]


@pytest.mark.requirement("AD-10")
def test_earlier_applications_for_other_tiers_are_not_shown(
    gated_tier: Tier, applicant: User, lead_reviewer: User
) -> None:
    earlier = factories.submitted(applicant, factories.tier("elsewhere"))
    application = factories.submitted(applicant, gated_tier)
    assert [one.reference for one in gather(application, lead_reviewer).earlier] == [
        earlier.reference
    ]
    local = factories.staff("local", Role.REVIEWER, gated_tier)
    assert gather(application, local).earlier == []


def test_a_country_that_the_tier_excludes_is_red() -> None:
    level, fact = line("country", answers={"country": "KP"})
    assert (level, "the tier excludes it" in fact) == ("red", True)


def test_an_older_licence_text_is_named() -> None:
    newer = LicenceVersion(pk=2, version="2")
    assert line("licence", in_force=newer) == ("amber", "accepted 1, in force is 2")


@pytest.mark.parametrize("yes", [True, "yes"])
def test_a_commercial_interest_is_reported(yes: object) -> None:
    assert line("commercial", answers={"commercial": yes})[0] == "amber"


def test_the_tiers_use_codes_are_explained() -> None:
    tier = Tier(duo_codes=["DUO:0000042", "DUO:0000018"])
    data = {"org_type": "industry_laboratory", "commercial": True}
    found = [
        (one.level.value, one.label, one.fact)
        for one in assess(replace(GOOD, findings=precheck.precheck(tier, data)))
        if one.key == "terms"
    ]
    assert found == [
        ("red", "NPUNCU", "against: Kind of organisation"),
        ("amber", "NPUNCU", "doubt: Any commercial interest in the results?"),
    ]


def test_a_conflict_is_red_when_declared_and_amber_when_an_organisation_is_shared() -> None:
    assert line("conflict", conflict="")[0] == "red"
    assert line("conflict", reviewer_addresses=["r@uni.example"]) == (
        "amber",
        "you share uni.example",
    )
    shared = {"verified": ["a@gmail.com"], "reviewer_addresses": ["r@gmail.com"]}
    assert line("conflict", **shared)[0] == "green"


def test_hardware_says_what_fits_and_what_does_not() -> None:
    named = {"extra_hardware": "8 x 80 GB A100\n4 × 24GB RTX 4090"}
    assert line("hardware", answers=named) == (
        "green",
        "350 GB at 2 bytes: fits 8 × 80 GB; not 4 × 24 GB",
    )
    small = {"extra_hardware": "4 x 24 GB"}
    assert line("hardware", answers=small) == ("amber", "350 GB at 2 bytes: not 4 × 24 GB")
    assert line("hardware", answers={"extra_hardware": "a cluster"})[0] == "grey"


def test_hardware_without_count_or_memory_is_left_out() -> None:
    rows = [{"count": 0, "memory_gb": 80}, {"count": 2}, {"count": 2, "memory_gb": 16}]
    assert parse_hardware(rows) == [Machines(2, 16)]


# -- from the database ------------------------------------------------------------------


@pytest.fixture
def crowd(applicant: User, gated_tier: Tier, reviewer: User) -> None:
    """A person with a past: addresses, applications, an ended grant."""
    for number in range(2):
        EmailAddress.objects.create(user=applicant, email=f"a{number}@uni.example", verified=True)
        other = factories.tier(f"another-{number}")
        decisions.reject(
            factories.submitted(applicant, other),
            by=reviewer,
            reasons=["spam"],
            note="This is no research application.",
        )


@pytest.mark.django_db
def test_the_strip_knows_the_checkpoints_of_the_tier(
    applicant: User, reviewer: User, gated_tier: Tier
) -> None:
    facts = {"tier": gated_tier, "org": "facebook", "parameters": 175_000_000_000}
    Checkpoint.objects.create(name="opt-175b", **facts)
    Checkpoint.objects.create(name="unlisted", private=True, **facts)
    answers = {**factories.ANSWERS, "extra_hardware": [{"count": 8, "memory_gb": 80, "kind": "H"}]}
    application = factories.submitted(applicant, gated_tier, answers)
    hardware = [one for one in evidence.collect(application, reviewer) if one.key == "hardware"]
    assert [(one.label, one.fact) for one in hardware] == [
        ("opt-175b", "350 GB at 2 bytes: fits 8 × 80 GB")
    ]


@pytest.mark.django_db
def test_the_strip_estimates_cache_and_overhead_where_the_facts_suffice(
    applicant: User, reviewer: User, gated_tier: Tier
) -> None:
    shape = {"layers": 96, "heads": 96, "d_model": 12_288, "context_length": 2048}
    facts = {key: {"value": value} for key, value in shape.items()}
    counted = {"tier": gated_tier, "org": "facebook", "parameters": 174_604_468_224}
    Checkpoint.objects.create(name="opt-175b", facts=facts, **counted)
    later = timezone.now() + timedelta(days=1)
    Checkpoint.objects.create(name="later", embargo_until=later, **counted)
    # The weights alone would fit into 9 × 40 GB.
    answers = {**factories.ANSWERS, "extra_hardware": "8 x 80 GB, 9 x 40 GB"}
    application = factories.submitted(applicant, gated_tier, answers)
    hardware = [one for one in evidence.collect(application, reviewer) if one.key == "hardware"]
    assert [(one.label, one.fact) for one in hardware] == [
        ("opt-175b", "349 GB at 2 bytes: fits 8 × 80 GB (34 % free); not 9 × 40 GB")
    ]


@pytest.mark.django_db
def test_a_declared_conflict_and_a_breach_are_found(
    applicant: User, reviewer: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, factories.tier("left"))
    lifecycle.revoke(grant, by=None, reason="passed on", code="leak")
    application = factories.submitted(applicant, gated_tier)
    conflicts.declare_conflict(application, by=reviewer, reason="we wrote a paper")
    facts = gather(application, reviewer)
    assert (facts.conflict, facts.breaches) == ("we wrote a paper", ["leak"])
    assert Grant.objects.get(pk=grant.pk).state == "revoked"


@pytest.mark.django_db
def test_a_long_past_costs_no_further_queries(
    applicant: User, other_person: User, reviewer: User, gated_tier: Tier, crowd: None
) -> None:
    counted = []
    for person in (other_person, applicant):
        application = factories.submitted(person, gated_tier)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            evidence.collect(application, reviewer)
        counted.append(len(queries))
    assert counted[0] == counted[1] <= 10
    facts = {one.fact for one in evidence.collect(application, reviewer)}
    assert "2 rejected (This is not a research application)" in facts
