"""The admin's button that returns a decided application to the queue."""

import pytest
from django.test import Client

from accounts.applications.models import Application
from accounts.applications.workflow import decisions
from accounts.grants.queries import tiers_open_to
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.review.desk.addresses import button_of, page_of
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

REASON = {"reopen-reason": "the affiliation ended"}


@pytest.fixture
def approved(applicant: User, gated_tier: Tier, reviewer: User) -> Application:
    application = factories.submitted(applicant, gated_tier)
    decisions.approve(application, by=reviewer, confirmed=True)
    return application


@pytest.fixture
def desk(client: Client, lead_reviewer: User) -> Client:
    client.force_login(lead_reviewer)
    return client


def is_offered(client: Client, application: Application) -> bool:
    return button_of(application, "reopen") in client.get(page_of(application)).text


@pytest.mark.slow
def test_it_ends_the_access_and_shows_the_new_application(
    desk: Client, approved: Application
) -> None:
    assert is_offered(desk, approved)
    done = desk.post(button_of(approved, "reopen"), REASON, follow=True)
    reopened = Application.objects.open().get()
    assert done.redirect_chain == [(page_of(reopened), 302)]
    assert f"reopened as {reopened.reference}" in done.text
    assert approved.tier not in tiers_open_to(approved.applicant)
    assert "the affiliation ended" in OutgoingMail.objects.get(kind="application_reopened").text


@pytest.mark.slow
def test_pressed_twice_it_reopens_once_and_says_so(desk: Client, approved: Application) -> None:
    desk.post(button_of(approved, "reopen"), REASON)
    again = desk.post(button_of(approved, "reopen"), REASON)
    assert (again.status_code, "is already open" in again.text) == (200, True)
    assert Application.objects.count() == 2
    assert not is_offered(desk, approved)


def test_a_reason_is_required_and_the_typed_text_is_preserved(
    desk: Client, approved: Application
) -> None:
    shown = desk.post(button_of(approved, "reopen"), {"reopen-reason": "hm"})
    assert "at least 5 characters" in shown.text
    assert ">\nhm</textarea>" in shown.text
    assert approved.tier in tiers_open_to(approved.applicant)


@pytest.mark.parametrize("role", [role for role in Role if role != Role.LEAD_REVIEWER])
def test_nobody_else_is_offered_it_or_does_it(
    role: Role, client: Client, approved: Application
) -> None:
    client.force_login(factories.staff("staff", role))
    assert not is_offered(client, approved)
    client.post(button_of(approved, "reopen"), REASON)
    assert approved.tier in tiers_open_to(approved.applicant)
    assert Application.objects.count() == 1


def test_a_lead_reviewer_of_another_tier_finds_nothing_to_reopen(
    client: Client, approved: Application
) -> None:
    another = factories.tier("another")
    client.force_login(factories.staff("elsewhere", Role.LEAD_REVIEWER, another))
    assert client.post(button_of(approved, "reopen"), REASON).status_code == 404
    assert approved.tier in tiers_open_to(approved.applicant)


@pytest.mark.slow
def test_it_is_not_offered_to_the_applicant_or_for_what_is_open(
    client: Client, gated_tier: Tier, lead_reviewer: User, reviewer: User
) -> None:
    own = factories.submitted(lead_reviewer, gated_tier)
    client.force_login(factories.staff("second", Role.LEAD_REVIEWER))
    assert not is_offered(client, own)
    decisions.approve(own, by=reviewer, confirmed=True)
    assert is_offered(client, own)
    client.force_login(lead_reviewer)
    assert not is_offered(client, own)
    refused = client.post(button_of(own, "reopen"), REASON)
    assert "You cannot decide your own application" in refused.text
    assert gated_tier in tiers_open_to(lead_reviewer)


@pytest.mark.slow
def test_only_the_latest_decision_is_reopened(
    desk: Client, approved: Application, reviewer: User
) -> None:
    desk.post(button_of(approved, "reopen"), REASON)
    last = Application.objects.open().get()
    decisions.approve(last, by=reviewer, confirmed=True)
    assert not is_offered(desk, approved)
    assert is_offered(desk, last)
