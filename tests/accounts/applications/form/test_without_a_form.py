"""Cases without a form: holders, open applications, open tiers and click-through licences."""

import pytest
from django.test import Client

from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import ADDRESS
from tests.support import factories

pytestmark = pytest.mark.one_database


def test_a_holder_has_nothing_to_apply_for(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    factories.grant(applicant, gated_tier)
    assert "You already have access" in signed_in.get(ADDRESS).content.decode()


def test_an_open_application_is_pointed_at(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    page = signed_in.get(ADDRESS).content.decode()
    assert application.reference in page
    assert str(application.public_id) in page


def test_an_unconfirmed_address_is_refused_with_a_remedy(client: Client, gated_tier: Tier) -> None:
    client.force_login(factories.person(confirmed=False))
    response = client.get(ADDRESS)
    assert response.status_code == 403
    assert "/accounts/email/" in response.content.decode()


def test_an_open_tier_needs_no_application(client: Client, open_tier: Tier) -> None:
    assert "Nothing to apply for" in client.get("/apply/open/").content.decode()


def test_an_unknown_tier_is_404(client: Client, db: None) -> None:
    assert client.get("/apply/nothing/").status_code == 404


def test_a_click_through_tier_gives_access_once_the_text_is_accepted(
    signed_in: Client, applicant: User
) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    sha256 = factories.in_force(tier).text_sha256
    assert "Accept the licence" in signed_in.get("/apply/click/").content.decode()
    assert signed_in.post("/apply/click/", {"licence_sha256": sha256}).status_code == 422
    for _ in range(2):
        data = {"licence_sha256": sha256, "licence_accept": "on"}
        assert signed_in.post("/apply/click/", data)["Location"] == "/access/"
    assert Grant.objects.get().origin == Grant.Origin.CLICK_THROUGH


def test_a_holder_accepts_a_new_version_without_applying_again(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    grant = factories.grant(applicant, gated_tier)
    newer = gated_tier.accepted_licence.versions.create(version="2", text="Other terms.")
    assert "Other terms." in signed_in.get(ADDRESS).content.decode()
    data = {"licence_sha256": newer.text_sha256, "licence_accept": "on"}
    assert signed_in.post(ADDRESS, data)["Location"] == "/access/"
    grant.refresh_from_db()
    assert grant.licence_version == newer
    assert AuditEvent.objects.about(grant).filter(action="licence.accepted").exists()
