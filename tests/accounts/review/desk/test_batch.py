"""Lead reviewers act on several applications after a page that lists each of them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.applications.models import Application
from accounts.applications.workflow import claims
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

LIST = reverse("admin:accounts_application_changelist")
NOTE = "This does not describe a research project; please write to us if it does."


@pytest.fixture
def desk(client: Client, lead_reviewer: User) -> Client:
    client.force_login(lead_reviewer)
    return client


@pytest.fixture
def three(gated_tier: Tier) -> list[Application]:
    return [factories.submitted(factories.person(), gated_tier) for _ in range(3)]


def batch(client: Client, action: str, chosen: list[Application], **data: Any) -> Any:
    sent = {"action": action, "_selected_action": [one.pk for one in chosen], **data}
    return client.post(LIST, sent, follow=True)


def states(applications: list[Application]) -> list[str]:
    return [Application.objects.get(pk=one.pk).status for one in applications]


def test_the_page_lists_each_and_nothing_happens_before_it_is_confirmed(
    desk: Client, three: list[Application]
) -> None:
    page = batch(desk, "reject_all", three)
    assert all(one.reference in page.text for one in three)
    assert states(three) == ["submitted"] * 3


@pytest.mark.slow
def test_each_applicant_rejected_as_spam_gets_a_mail(
    desk: Client, three: list[Application]
) -> None:
    data = {"confirmed": "1", "reason": "spam"}
    assert "at least 20 characters" in batch(desk, "reject_all", three, **data, note="no").text
    batch(desk, "reject_all", three, **data, note=NOTE)
    assert states(three) == ["rejected"] * 3
    mails = OutgoingMail.objects.filter(kind="application_rejected", text__contains=NOTE)
    assert mails.count() == 3


@pytest.mark.slow
def test_failures_in_a_batch_are_named_and_the_rest_is_done(
    desk: Client, three: list[Application], reviewer: User
) -> None:
    claims.claim(three[1], by=reviewer)
    data = {"confirmed": "1", "reason": "duplicate", "note": f"{NOTE} See A-2026-00001."}
    page = batch(desk, "reject_all", three, **data)
    assert f"{three[1].reference} was not changed: reviewer has claimed" in page.text
    assert states(three) == ["rejected", "in_review", "rejected"]


def test_a_duplicate_names_the_other_one(desk: Client, three: list[Application]) -> None:
    data = {"confirmed": "1", "reason": "duplicate", "note": NOTE}
    assert "name the other application" in batch(desk, "reject_all", three, **data).text
    assert states(three) == ["submitted"] * 3


def test_assigned_they_stand_on_one_desk(
    desk: Client, three: list[Application], reviewer: User
) -> None:
    batch(desk, "assign_all", three, confirmed="1", to=reviewer.pk)
    assert {Application.objects.get(pk=one.pk).claimed_by for one in three} == {reviewer}


def test_claimers_are_reminded_and_the_unclaimed_are_named(
    desk: Client, three: list[Application], reviewer: User
) -> None:
    claims.claim(three[0], by=reviewer)
    page = batch(desk, "remind_all", three, confirmed="1")
    assert OutgoingMail.objects.filter(kind="claimer_reminded").count() == 1
    assert f"nobody has claimed {three[1].reference}" in page.text


@pytest.mark.parametrize("role", [role for role in Role if role != Role.LEAD_REVIEWER])
def test_nobody_else_acts_on_many(role: Role, client: Client, three: list[Application]) -> None:
    client.force_login(factories.staff("staff", role))
    batch(client, "reject_all", three, confirmed="1", reason="spam", note=NOTE)
    assert states(three) == ["submitted"] * 3


@pytest.mark.slow
def test_an_application_of_another_tier_is_not_found(
    client: Client, three: list[Application]
) -> None:
    another = factories.tier("another")
    client.force_login(factories.staff("elsewhere", Role.LEAD_REVIEWER, another))
    own = factories.submitted(factories.person(), another)
    answer = batch(client, "reject_all", [own, three[0]], confirmed="1", reason="spam", note=NOTE)
    assert answer.status_code == 404
    assert states([own, three[0]]) == ["submitted"] * 2
