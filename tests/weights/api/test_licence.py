"""Accepting a licence with the API, under the same rules as on the page."""

import pytest
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store"), pytest.mark.one_database]


@pytest.fixture
def tier(db: None) -> Tier:
    return factories.tier("click", AccessMode.CLICK_THROUGH)


@pytest.fixture
def script(applicant: User) -> ApiClient:
    return ApiClient(applicant, "read-gated")


def acceptance(tier: Tier, **facts: object) -> dict[str, object]:
    sha256 = factories.in_force(tier).text_sha256
    return {"tier": tier.slug, "licence_accept": True, "licence_sha256": sha256} | facts


def test_accepting_the_text_that_a_checkpoint_names_opens_it(
    script: ApiClient, applicant: User, tier: Tier
) -> None:
    factories.published("acme/click", tier)
    plan = "/checkpoints/acme/click/plan"
    assert script.get(plan, 403)["code"] == "no_application"
    payload = script.get("/checkpoints/acme/click")
    sent = {
        "tier": payload["tier"]["slug"],
        "licence_accept": True,
        "licence_sha256": payload["terms"]["text_sha256"],
    }
    grant = script.post("/grants", sent)
    assert (grant["live"], grant["origin"]) == (True, "click-through")
    assert not grant["licence_outdated"]
    assert script.get(plan)["count"] == len(factories.SMALL_MODEL)
    assert script.get("/grants") == [grant]
    grant = Grant.objects.get(user=applicant)
    assert AuditEvent.objects.about(grant).exists()


def test_accepting_again_changes_nothing(script: ApiClient, tier: Tier) -> None:
    first = script.post("/grants", acceptance(tier))
    events = AuditEvent.objects.count()
    assert script.post("/grants", acceptance(tier)) == first
    assert (Grant.objects.count(), AuditEvent.objects.count()) == (1, events)


def test_another_text_than_the_one_in_force_is_not_accepted(
    script: ApiClient, applicant: User, tier: Tier
) -> None:
    old = acceptance(tier)
    tier.accepted_licence.versions.create(
        version="2", text="Stricter.", effective_at=timezone.now()
    )
    for hash_sent in (old["licence_sha256"], "", "0" * 64, str(old["licence_sha256"]).upper()):
        refused = script.post("/grants", old | {"licence_sha256": hash_sent}, 409)
        assert refused["code"] == "licence_changed"
    assert tier not in tiers_open_to(applicant)


def test_a_new_text_is_accepted_for_an_existing_grant(
    script: ApiClient, applicant: User, gated_tier: Tier
) -> None:
    """Also in a reviewed tier, where the first access took an application."""
    grant = factories.grant(applicant, gated_tier)
    new = gated_tier.accepted_licence.versions.create(
        version="2", text="Stricter.", effective_at=timezone.now()
    )
    assert script.get("/grants")[0]["licence_version"] == "1"
    payload = script.post("/grants", acceptance(gated_tier))
    assert (payload["id"], payload["licence_version"]) == (str(grant.public_id), "2")
    grant.refresh_from_db()
    assert grant.licence_version == new


def test_the_acceptance_must_be_explicit(script: ApiClient, tier: Tier) -> None:
    for no in (False, None, "yes", 0):
        refused = script.post("/grants", acceptance(tier, licence_accept=no), 422)
        assert refused["errors"][0]["field"] == "licence_accept"
    assert not Grant.objects.exists()


def test_a_reviewed_tier_takes_an_application_and_an_open_one_nothing(
    script: ApiClient, gated_tier: Tier, open_tier: Tier
) -> None:
    reviewed = script.post("/grants", acceptance(gated_tier), 422)
    assert "takes an application" in reviewed["detail"]
    opened = script.post("/grants", {**acceptance(gated_tier), "tier": open_tier.slug}, 422)
    assert "is open" in opened["detail"]
    assert not Grant.objects.exists()


def test_a_user_who_may_not_hold_access_cannot_accept(tier: Tier) -> None:
    unconfirmed = ApiClient(factories.person("new", confirmed=False), "read-gated")
    assert unconfirmed.post("/grants", acceptance(tier), 403)["code"] == "not_allowed"
    suspended = ApiClient(factories.person("held", suspended_at=timezone.now()), "read-gated")
    assert suspended.post("/grants", acceptance(tier), 403)["code"] == "not_allowed"
    assert ApiClient().post("/grants", acceptance(tier), 401)["code"] == "login_required"
    assert not Grant.objects.exists()


def test_there_must_be_such_a_tier(script: ApiClient, tier: Tier) -> None:
    sent = acceptance(tier) | {"tier": "none"}
    assert script.post("/grants", sent, 404)["code"] == "tier_not_found"
