"""Completing an application on the pages, from the start to the submission."""

from itertools import pairwise

import pytest
from django.test import Client

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.tiers.models import Tier
from tests.accounts.applications.form_filler import ADDRESS, FormFiller

pytestmark = pytest.mark.one_database


def test_a_visitor_can_read_the_questions_before_signing_in(
    client: Client, gated_tier: Tier
) -> None:
    page = client.get(ADDRESS).content.decode()
    assert "What will be studied and how" in page
    assert "next=/apply/opt-175b/" in page


def test_looking_at_the_start_makes_no_draft(signed_in: Client, gated_tier: Tier) -> None:
    assert signed_in.get(ADDRESS).status_code == 200
    assert not Application.objects.exists()


def test_starting_asks_for_the_country_and_opens_the_first_step(filler: FormFiller) -> None:
    response = filler.begin("NO")
    assert response["Location"] == filler.url("you")
    assert '<option value="NO" selected>' in filler.page("you")
    assert filler.begin("NO")["Location"] == filler.url("you")  # twice is one draft
    assert Application.objects.count() == 1


def test_a_blocked_country_is_reported_before_the_form_is_filled_in(
    filler: FormFiller, gated_tier: Tier
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(blocked_countries="KP")
    assert "North Korea" in filler.client.get(ADDRESS).content.decode()
    response = filler.begin("KP")
    assert response.status_code == 422
    assert "The licence excludes work in North Korea" in response.content.decode()
    assert not Application.objects.exists()


@pytest.mark.slow
def test_each_step_leads_to_the_next_and_the_last_to_the_review(begun: FormFiller) -> None:
    steps = ["you", "project", "plan", "terms", "review"]
    for step, after in pairwise(steps):
        assert begun.save(step)["Location"] == begun.url(after)
    assert "Ready to submit" in begun.page("review")


@pytest.mark.slow
def test_the_buttons_save_and_lead_back_and_to_any_step(begun: FormFiller) -> None:
    assert begun.save("project", go="back")["Location"] == begun.url("you")
    assert begun.save("project", go="terms")["Location"] == begun.url("terms")
    assert begun.save("project", go="review")["Location"] == begun.url("review")
    assert begun.save("project", go="https://example.org")["Location"] == begun.url("project")
    assert begun.application.answers["title"] == begun.answers["title"]


@pytest.mark.slow
def test_a_complete_form_is_submitted(filler: FormFiller) -> None:
    filler.fill_in()
    response = filler.submit()
    application = filler.application
    assert response["Location"] == f"/applications/{application.public_id}/"
    assert application.status == Status.SUBMITTED
    snapshot = application.latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["title"] == "Outlier features at scale"


@pytest.mark.slow
def test_submitted_twice_it_is_one_application(filler: FormFiller) -> None:
    filler.fill_in()
    data = {"seen": "x", "seen_version": str(filler.application.answers_version), "go": "submit"}
    for _ in range(2):
        response = filler.client.post(filler.url("review"), data)
        assert response["Location"] == f"/applications/{filler.application.public_id}/"
    assert filler.application.snapshots.count() == 1
