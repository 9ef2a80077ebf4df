"""The pages of change requests: what they show, to whom, and how to decide there."""

import time

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.change_requests.models import ChangeRequest
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.roles.services import give_role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import checkpoint_tiers

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

AGREED = {"move": "confirm", "confirm-reason": "I read the paper."}
LIST = "/admin/accounts/changerequest/"


@pytest.mark.slow
def test_the_second_person_finds_the_request_reads_what_it_changes_and_confirms_it(
    client: Client, lowering: ChangeRequest, second_owner: User, gated_tier: Tier
) -> None:
    client.force_login(second_owner)
    index = client.get("/admin/").text
    assert "Waiting for you as the second person: 1" in index
    assert lowering.path in index
    page = client.get(lowering.path).text
    assert "Lower the gate of opt-175b: access from Reviewed to Open" in page
    assert "The paper is out." in page
    empty = client.post(lowering.path, {"move": "confirm", "confirm-reason": " "})
    assert "This field is required" in empty.text
    done = client.post(lowering.path, AGREED, follow=True).text
    assert "Confirmed: Lower the gate of opt-175b" in done
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.OPEN
    assert "Waiting for you" not in client.get("/admin/").text


@pytest.mark.slow
def test_the_requester_reads_their_request_and_may_only_withdraw_it(
    client: Client, lowering: ChangeRequest, release_owner: User, gated_tier: Tier
) -> None:
    client.force_login(release_owner)
    assert "Waiting for you" not in client.get("/admin/").text
    page = client.get(lowering.path).text
    assert 'value="withdraw"' in page
    assert 'value="confirm"' not in page
    refused = client.post(lowering.path, AGREED, follow=True).text
    assert "Nothing was done: you opened this request" in refused
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED
    client.post(lowering.path, {"move": "withdraw"})
    lowering.refresh_from_db()
    assert lowering.state == ChangeRequest.State.WITHDRAWN


def test_confirming_takes_a_recent_authentication(
    client: Client, lowering: ChangeRequest, second_owner: User, gated_tier: Tier
) -> None:
    client.force_login(second_owner)
    session = client.session
    session["signed_in_at"] = time.time() - 3600
    session.save()
    asked = client.post(lowering.path, AGREED)
    assert asked.status_code == 302
    assert "/reauthenticate/" in asked["Location"]
    assert Tier.objects.get(pk=gated_tier.pk).mode == AccessMode.REVIEWED


@pytest.mark.slow
def test_a_request_that_no_longer_applies_says_so_before_and_after(
    client: Client, lowering: ChangeRequest, second_owner: User, gated_tier: Tier
) -> None:
    Tier.objects.filter(pk=gated_tier.pk).update(mode=AccessMode.CLICK_THROUGH)
    client.force_login(second_owner)
    assert (
        "This no longer applies: Access of opt-175b is Click-through"
        in client.get(lowering.path).text
    )
    done = client.post(lowering.path, AGREED, follow=True).text
    assert "Nothing was changed, because Access of opt-175b is Click-through" in done


@pytest.mark.slow
@pytest.mark.parametrize("role", list(Role), ids=str)
def test_each_role_sees_the_requests_of_its_acts_and_tiers(
    client: Client,
    lowering: ChangeRequest,
    administrator: User,
    applicant: User,
    gated_tier: Tier,
    store: object,
    role: Role,
) -> None:
    given = give_role(
        applicant, Role.AUDITOR, gated_tier, by=administrator, reason="A new auditor."
    )
    hidden = factories.published("acme/hidden", gated_tier, private=True).checkpoint
    hidden.private = False
    owner = factories.staff("third", Role.RELEASE_OWNER)
    opening = checkpoint_tiers.save_checkpoint(hidden, by=owner, reason="It is released.")
    assert isinstance(given, ChangeRequest)
    assert opening is not None
    sees = {
        Role.REVIEWER: set(),
        Role.LEAD_REVIEWER: {lowering, given},
        Role.RELEASE_OWNER: {lowering, given, opening},
        Role.AUDITOR: {lowering, given, opening},
        Role.ADMINISTRATOR: {lowering, given, opening},
    }[role]
    client.force_login(factories.staff("walker", role, gated_tier))
    listed = client.get(LIST)
    assert listed.status_code == 200
    for request in (lowering, given, opening):
        assert (request.path in listed.text) == (request in sees)
        assert client.get(request.path).status_code == (200 if request in sees else 404)
    assert ("acme/hidden" in listed.text) == (opening in sees)
    client.force_login(factories.staff("elsewhere", role, factories.tier("another")))
    assert "changerequest/" + str(lowering.pk) not in client.get(LIST).text
    assert client.get(lowering.path).status_code == 404
    assert client.post(lowering.path, AGREED).status_code == 404


@pytest.mark.slow
def test_a_requested_role_says_whose_it_is_without_roles_of_other_tiers(
    client: Client, administrator: User, applicant: User, gated_tier: Tier
) -> None:
    User.objects.filter(pk=applicant.pk).update(first_name="Ada", last_name="<b>Lovelace")
    RoleAssignment.objects.assign(applicant, Role.REVIEWER, factories.tier("another"))
    RoleAssignment.objects.assign(applicant, Role.AUDITOR, gated_tier)
    request = give_role(
        applicant, Role.LEAD_REVIEWER, gated_tier, by=administrator, reason="She leads."
    )
    assert isinstance(request, ChangeRequest)
    facts = {}
    for name, tier in (("local", gated_tier), ("of-all", None)):
        client.force_login(factories.staff(name, Role.LEAD_REVIEWER, tier))
        page = client.get(request.path)
        assert "Ada &lt;b&gt;Lovelace" in page.text
        facts[name] = dict(page.context["facts"])
        assert facts[name]["Username"] == "applicant"
        assert facts[name]["Confirmed addresses"] == applicant.email
    assert facts["local"]["Present roles"] == "Auditor of opt-175b"
    assert facts["of-all"]["Present roles"] == "Reviewer of another; Auditor of opt-175b"


def test_a_superuser_without_a_role_reads_no_request(
    client: Client, lowering: ChangeRequest
) -> None:
    client.force_login(factories.person("root", is_superuser=True, is_staff=True))
    assert lowering.path not in client.get(LIST).text
    assert client.get(lowering.path).status_code == 404


def test_a_role_requested_in_the_admin_waits_and_is_not_assigned(
    client: Client, administrator: User, applicant: User
) -> None:
    client.force_login(administrator)
    page = reverse("admin:accounts_roleassignment_add")
    asked = {"user": applicant.pk, "role": "reviewer", "tier": ""}
    assert "This gives a role." in client.post(page, asked).text
    done = client.post(page, {**asked, "opening_reason": "A new reviewer."}, follow=True)
    request = ChangeRequest.objects.get()
    assert request.path in done.text
    assert not applicant.roles.exists()
    assert not User.objects.get(pk=applicant.pk).is_staff


@pytest.mark.parametrize("is_single", [True, False])
def test_the_rule_in_force_is_stated_in_public_and_on_the_health_page(
    client: Client, administrator: User, settings: Settings, is_single: bool
) -> None:
    settings.SINGLE_OPERATOR = is_single
    public = " ".join(client.get("/transparency/").text.split())
    assert ("This portal has a single operator" in public) == is_single
    assert ("Two members of staff decide together" in public) != is_single
    client.force_login(administrator)
    assert ("SINGLE_OPERATOR is on" in client.get("/admin/health/").text) == is_single
