"""Footprint, openness and citation as pages, files and JSON, for those who may see the family."""

import copy
import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.tiers.models import Tier
from tests.weights.api.client import ApiClient
from weights.catalogue import opt_family
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.opt_family import entries, loading

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
HOSTILE = "<script>alert(1)</script> \u202eright to left " + "wordsthatdonotend" * 20


def family_with_hostile_facts(tier: Tier) -> Family:
    facts = copy.deepcopy(entries.family()["facts"])
    facts["footprint"]["subject"] = HOSTILE
    facts["footprint"]["inputs"]["pue"]["low"]["source"] = HOSTILE
    facts["openness"]["components"][0]["where"] = HOSTILE
    facts["limitations"][0]["text"] = HOSTILE
    facts["paper"]["bibtex_fields"]["title"] = HOSTILE
    family = Family(slug="acme", name="Acme", facts=facts)
    family.full_clean()
    family.save()
    Checkpoint.objects.create(org="acme", name="model", tier=tier, family=family)
    return family


def test_the_footprint_shows_ranges_formula_sources_and_comparisons(client: Client) -> None:
    opt_family.load()
    text = client.get("/footprint/").text
    for expected in ("82–365", "356–843", "284 t", "0.65 t", "500–552 t", "380 t"):
        assert expected in text
    assert "809,472 × 400 / 1000 × 1.1 = 356,168 kWh" in text
    assert 'href="https://arxiv.org/abs/2302.13971"' in text
    assert '<svg class="chart--wide"' in text


def test_pictures_name_their_title_and_description_by_unique_ids(client: Client) -> None:
    opt_family.load()
    for address in ("/footprint/", "/transparency/"):
        text = client.get(address).text
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids)), address
        named = re.findall(r'aria-(?:labelledby|describedby)="([^"]+)"', text)
        assert set(named) <= set(ids), address
        assert text.count('role="img"') >= (2 if address == "/footprint/" else 0)


def test_openness_shows_the_class_components_limitations_and_citation(client: Client) -> None:
    opt_family.load()
    assert "No class" in client.get("/openness/").text
    text = client.get("/openness/opt/").text
    assert "<strong>No class</strong>" in text
    assert "For Class III, Open Model, it lacks: weights." in " ".join(text.split())
    assert "cc1601cb0150c3fa5e9142927fe9cd02387b4601df01f82391e99635612521bd" in text
    assert "OPT paper, section 4.2" in text
    assert "CrowS-Pairs" in text
    assert text.count('<code id="command-') == 3


@pytest.mark.parametrize(
    ("form", "media_type", "name"),
    [
        ("bib", "application/x-bibtex", "opt.bib"),
        ("cff", "application/yaml", "CITATION.cff"),
        ("txt", "text/plain", "opt.txt"),
    ],
)
def test_each_citation_is_a_file_and_text_on_the_page(
    client: Client, form: str, media_type: str, name: str
) -> None:
    opt_family.load()
    response = client.get(f"/openness/opt/citation.{form}")
    assert response["Content-Type"] == f"{media_type}; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert client.get("/openness/opt/").context["citation"][form] == response.text
    assert client.get("/openness/opt/citation.exe").status_code == 404
    assert client.get("/openness/none/citation.bib").status_code == 404


def test_a_checkpoint_links_to_what_its_family_states(client: Client) -> None:
    opt_family.load()
    text = client.get("/facebook/opt-125m").text
    for link in ("/openness/opt/", "/footprint/#opt", "/openness/opt/#cite"):
        assert f'href="{link}"' in text
    assert "82–365 tonnes" in text
    Checkpoint.objects.update(family=None)
    assert "Openness, footprint and citation" not in client.get("/facebook/opt-125m").text


@pytest.mark.usefixtures("store")
def test_a_family_of_hidden_checkpoints_is_shown_to_nobody_outside(
    client: Client, open_tier: Tier
) -> None:
    family_with_hostile_facts(open_tier)
    Checkpoint.objects.update(private=True)
    assert "acme" not in client.get("/footprint/").text.lower()
    assert "acme" not in client.get("/openness/").text.lower()
    assert client.get("/openness/acme/").status_code == 404
    assert client.get("/openness/acme/citation.bib").status_code == 404
    assert "/openness/acme/" not in client.get("/sitemap.xml").text
    ApiClient().get("/checkpoints/acme/model/footprint", 404)
    ApiClient().get("/checkpoints/acme/model/openness", 404)


def test_hostile_facts_are_shown_as_text(client: Client, open_tier: Tier) -> None:
    family_with_hostile_facts(open_tier)
    for address in ("/footprint/", "/openness/", "/openness/acme/", "/acme/model"):
        response = client.get(address)
        assert response.status_code == 200
        assert "<script>alert" not in response.text


def test_facts_that_were_stored_without_validation_are_left_out(
    client: Client, open_tier: Tier
) -> None:
    family = family_with_hostile_facts(open_tier)
    broken: dict[str, Any] = {"footprint": {"inputs": 5}, "openness": "x", "paper": [], "x": None}
    Family.objects.filter(pk=family.pk).update(facts={**broken, "limitations": [{"text": "y"}]})
    for address in ("/footprint/", "/openness/", "/openness/acme/", "/acme/model"):
        assert client.get(address).status_code == 200
    assert "has not stated" in client.get("/openness/acme/").text
    assert ApiClient().get("/checkpoints/acme/model/footprint")["footprint"] is None


def test_the_pages_take_one_query_however_many_families_there_are(
    client: Client, open_tier: Tier, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    opt_family.load()
    for number in range(3):
        family = Family.objects.create(slug=f"f{number}", name="F", facts={})
        Checkpoint.objects.create(org="f", name=f"f{number}", tier=open_tier, family=family)
        for address in ("/footprint/", "/openness/", "/openness/opt/"):
            with django_assert_num_queries(1):
                client.get(address)


def test_the_api_answers_the_same_ranges_and_sources() -> None:
    opt_family.load()
    payload = ApiClient().get("/checkpoints/facebook/opt-175b/footprint")
    assert payload["family"] == "opt"
    assert payload["carbon_tonnes"]["low"] == pytest.approx(82.27, abs=0.01)
    assert payload["energy_kwh"]["high"] == pytest.approx(842_612.7, abs=0.1)
    assert payload["footprint"]["inputs"]["pue"]["high"]["value"] == 1.58
    stated = ApiClient().get("/checkpoints/facebook/opt-175b/openness")
    assert (stated["mof_class"], stated["lacking"]) == (None, ["Weights"])
    assert len(stated["openness"]["components"]) == 19


def test_a_checkpoint_without_a_family_states_nothing(open_tier: Tier) -> None:
    Checkpoint.objects.create(org="acme", name="alone", tier=open_tier)
    payload = ApiClient().get("/checkpoints/acme/alone/footprint")
    assert payload == {
        "repo": "acme/alone",
        "family": None,
        "footprint": None,
        "energy_kwh": None,
        "carbon_tonnes": None,
    }


def test_an_older_install_gets_the_new_parts_once_and_keeps_its_own_facts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as second:
        second.setattr(loading, "SEED_VERSION", 2)
        opt_family.load()
    family = Family.objects.get(slug="opt")
    del family.facts["footprint"]
    family.facts["openness"] = {"components": []}
    family.facts["limitations"] = [{"text": "Repeats itself.", "source": "paper section 5"}]
    family.facts["kind"] = "ours"
    family.save()
    assert opt_family.load()
    family.refresh_from_db()
    shipped = entries.family()["facts"]
    assert family.facts["footprint"] == shipped["footprint"]
    assert family.facts["limitations"] == shipped["limitations"]
    assert family.facts["openness"] == {"components": []}
    assert family.facts["kind"] == "ours"
    assert not opt_family.load()
