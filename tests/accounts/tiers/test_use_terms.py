"""Terms of use as DUO codes: valid combinations, and findings about applications."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.errors import InvalidValue
from accounts.tiers import precheck, use_terms
from accounts.tiers.models import Tier
from accounts.tiers.precheck import Weight
from accounts.users.models import User
from tests.support import factories

GRU, NRES = "DUO:0000042", use_terms.NO_RESTRICTION
COMPANY = {"org_type": "industry_laboratory", "commercial": False, "noncommercial": True}


def terms(*codes: str, **fields: Any) -> Tier:
    """Return an unsaved tier; the precheck reads only its terms."""
    return Tier(duo_codes=[GRU, *codes], **fields)


def findings_of(tier: Tier, **answers: Any) -> list[tuple[str, Weight]]:
    return [(found.code, found.weight) for found in precheck.precheck(tier, answers)]


# -- combinations of codes ----------------------------------------------------------------------


def test_codes_are_stored_once_and_in_the_order_of_display() -> None:
    codes = [use_terms.TIME_LIMIT, use_terms.NON_COMMERCIAL, GRU, GRU]
    assert use_terms.check(codes) == [GRU, use_terms.NON_COMMERCIAL, use_terms.TIME_LIMIT]
    assert use_terms.check([]) == []


@pytest.mark.parametrize(
    "codes",
    [
        pytest.param([GRU, "DUO:0000007"], id="a code of no meaning for weights"),
        pytest.param([use_terms.NON_COMMERCIAL], id="no permission"),
        pytest.param([GRU, "DUO:0000006"], id="two permissions"),
        pytest.param([NRES, use_terms.TIME_LIMIT], id="no restriction, restricted"),
        pytest.param(
            [GRU, use_terms.NON_COMMERCIAL, use_terms.NOT_FOR_PROFIT], id="the code of both exists"
        ),
    ],
)
def test_contradictory_or_unknown_codes_are_refused(codes: list[str]) -> None:
    with pytest.raises(InvalidValue):
        use_terms.check(codes)
    with pytest.raises(ValidationError, match="duo_codes"):
        Tier(duo_codes=codes).clean()


def test_every_term_names_its_page_in_the_ontology() -> None:
    term = use_terms.TERMS["DUO:0000018"]
    assert term.url == "http://purl.obolibrary.org/obo/DUO_0000018"
    assert (term.short, term.kind) == ("NPUNCU", "modifier")


# -- findings -----------------------------------------------------------------------------------


def test_a_company_is_warned_before_it_fills_in_a_form_for_non_profits() -> None:
    tier = terms(use_terms.NOT_FOR_PROFIT_NON_COMMERCIAL)
    (found,) = precheck.precheck(tier, {"org_type": "industry_laboratory"})
    assert (found.weight, found.field) == (Weight.AGAINST, "org_type")
    assert "only for not-for-profit organisations" in found.text
    assert findings_of(tier, org_type="university", commercial=False) == []


def test_non_commercial_work_of_a_company_is_fine_where_only_the_use_is_bound() -> None:
    assert findings_of(terms(use_terms.NON_COMMERCIAL), **COMPANY) == [
        (use_terms.NON_COMMERCIAL, Weight.FITS)
    ]
    assert findings_of(terms(use_terms.NOT_FOR_PROFIT), **COMPANY) == [
        (use_terms.NOT_FOR_PROFIT, Weight.AGAINST)
    ]


def test_a_commercial_interest_is_doubted_and_never_ruled_out() -> None:
    interested = {"org_type": "university", "commercial": True}
    assert findings_of(terms(use_terms.NON_COMMERCIAL), **interested) == [
        (use_terms.NON_COMMERCIAL, Weight.DOUBT)
    ]
    assert findings_of(terms(use_terms.NOT_FOR_PROFIT), **interested) == []
    refused = {**interested, "noncommercial": False}
    assert findings_of(terms(use_terms.NON_COMMERCIAL), **refused) == [
        (use_terms.NON_COMMERCIAL, Weight.AGAINST)
    ]


def test_a_country_that_the_licence_excludes_is_against_the_terms() -> None:
    tier = terms(use_terms.GEOGRAPHY, blocked_countries="KP,SY")
    assert findings_of(tier, country="KP") == [(use_terms.GEOGRAPHY, Weight.AGAINST)]
    assert findings_of(tier, country="DE") == findings_of(tier) == []


def test_the_gravest_finding_comes_first_and_duties_are_always_listed() -> None:
    tier = terms(
        use_terms.ETHICS_APPROVAL, use_terms.TIME_LIMIT, use_terms.NOT_FOR_PROFIT, term_days=90
    )
    found = precheck.precheck(tier, {"org_type": "industry_laboratory"})
    assert [one.weight for one in found] == [Weight.AGAINST, Weight.DUTY, Weight.DUTY]
    assert "90 days" in found[1].text
    assert [one.weight for one in precheck.precheck(tier, {})] == [Weight.DUTY, Weight.DUTY]


@pytest.mark.parametrize("yes", [True, "yes"])
def test_a_yes_is_read_in_every_stored_form(yes: object) -> None:
    tier = terms(use_terms.NON_COMMERCIAL)
    assert findings_of(tier, commercial=yes) == [(use_terms.NON_COMMERCIAL, Weight.DOUBT)]
    assert findings_of(tier, commercial="", noncommercial="") == []


# -- pages --------------------------------------------------------------------------------------


@pytest.fixture
def tier_with_terms(gated_tier: Tier) -> Tier:
    gated_tier.duo_codes = [GRU, use_terms.NOT_FOR_PROFIT_NON_COMMERCIAL]
    gated_tier.save()
    return gated_tier


@pytest.mark.usefixtures("store")
def test_the_pages_that_ask_for_the_licence_say_its_terms_in_words(
    client: Client, tier_with_terms: Tier
) -> None:
    factories.published("acme/weights", tier_with_terms)
    for page in ("/acme/weights", f"/apply/{tier_with_terms.slug}/"):
        text = client.get(page).content.decode()
        assert "Not-for-profit organisations only, and non-commercial use only." in text, page
        assert "DUO:0000018" in text


def test_a_company_is_warned_on_the_first_page(client: Client, tier_with_terms: Tier) -> None:
    sentence = "These weights are only for not-for-profit organisations, not for companies."
    page = " ".join(client.get(f"/apply/{tier_with_terms.slug}/").text.split())
    assert f"If you work in a company: {sentence}" in page


@pytest.mark.usefixtures("store")
def test_the_api_gives_the_codes_with_the_checkpoint(client: Client, tier_with_terms: Tier) -> None:
    factories.published("acme/weights", tier_with_terms)
    body = client.get("/api/v1/checkpoints/acme/weights").json()
    assert body["tier"]["duo_codes"] == tier_with_terms.duo_codes
    assert [term["short"] for term in body["use_terms"]] == ["GRU", "NPUNCU"]


def test_the_admin_keeps_codes_in_order_and_refuses_what_contradicts(
    client: Client, tier_with_terms: Tier, administrator: User
) -> None:
    client.force_login(administrator)
    page = f"/admin/accounts/tier/{tier_with_terms.pk}/change/"
    shown = client.get(page)
    data = {
        name: "" if value is None else value
        for name, value in shown.context["adminform"].form.initial.items()
        if name != "blocked_countries"
    }
    data |= {"questions-TOTAL_FORMS": 0, "questions-INITIAL_FORMS": 0}
    codes = [use_terms.TIME_LIMIT, use_terms.NON_COMMERCIAL, GRU]
    assert client.post(page, {**data, "duo_codes": codes}).status_code == 302
    tier_with_terms.refresh_from_db()
    assert tier_with_terms.duo_codes == [GRU, use_terms.NON_COMMERCIAL, use_terms.TIME_LIMIT]
    refused = client.post(
        page, {**data, "duo_codes": [GRU, use_terms.NON_COMMERCIAL, "DUO:0000018"]}
    )
    assert "choose one of" in refused.content.decode().lower()
