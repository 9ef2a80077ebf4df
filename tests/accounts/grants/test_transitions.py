"""Transitions of grants: suspend, resume, revoke, surrender, expire; their rules and mails."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.applications.workflow.eligibility import refuse_to_apply
from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.grants import break_glass, lifecycle, periodic_sweep
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.mail.models import OutgoingMail
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

NOW = timezone.now
DAY = timedelta(days=1)


@pytest.fixture
def grant(applicant: User, gated_tier: Tier) -> Grant:
    return factories.grant(applicant, gated_tier, until=NOW() + 100 * DAY)


def mails(kind: str) -> list[OutgoingMail]:
    return list(OutgoingMail.objects.filter(kind=kind).order_by("pk"))


def set_end(grant: Grant, days: float, *, term: int = 365) -> None:
    now = NOW()
    Grant.objects.filter(pk=grant.pk).update(
        starts_at=now - term * DAY, expires_at=now + days * DAY
    )
    grant.refresh_from_db()


# -- suspend and resume -------------------------------------------------------------------------


def test_a_suspension_closes_the_tier_until_it_is_resumed(
    grant: Grant, lead_reviewer: User
) -> None:
    lifecycle.suspend(grant, by=lead_reviewer, reason="we look into a leak", code="leak")
    assert grant.tier not in tiers_open_to(grant.user)
    lifecycle.resume(grant, by=lead_reviewer)
    assert grant.tier in tiers_open_to(grant.user)
    done = [(event.action, event.actor_name) for event in AuditEvent.objects.about(grant)]
    assert done[1:] == [("grant.suspended", "lead"), ("grant.resumed", "lead")]


def test_nobody_resumes_their_own_access_nor_gives_it_to_themselves(
    gated_tier: Tier, lead_reviewer: User
) -> None:
    with pytest.raises(NotAllowed, match="cannot grant access to yourself"):
        break_glass.create(lead_reviewer, gated_tier, days=9, reason="to look", by=lead_reviewer)
    own = factories.grant(lead_reviewer, gated_tier)
    lifecycle.suspend(own, by=None, reason="we look into a leak")
    with pytest.raises(NotAllowed, match="cannot resume your own"):
        lifecycle.resume(own, by=lead_reviewer)
    assert Grant.objects.get(pk=own.pk).is_suspended


def test_holder_and_leads_are_mailed_at_each_suspension(grant: Grant, lead_reviewer: User) -> None:
    for _ in range(2):
        lifecycle.suspend(grant, by=lead_reviewer, reason="we look into a leak")
        lifecycle.resume(grant, by=lead_reviewer)
    assert [mail.to for mail in mails("access_suspended")] == [grant.user.email] * 2
    assert "we look into a leak" in mails("access_suspended")[0].text
    assert [mail.to for mail in mails("grant_closed")] == [lead_reviewer.email] * 2
    assert len(mails("access_resumed")) == 2


def test_a_suspension_with_an_end_expires_and_one_without_does_not(
    grant: Grant, other_person: User, gated_tier: Tier
) -> None:
    endless = factories.grant(other_person, gated_tier)
    lifecycle.suspend(endless, by=None, reason="we look into it")
    lifecycle.suspend(grant, by=None, reason="we look into it", until=NOW() + DAY)
    periodic_sweep.run()
    assert not Grant.objects.live().exists()
    periodic_sweep.run(NOW() + 2 * DAY)
    periodic_sweep.run(NOW() + 2 * DAY)
    assert Grant.objects.live().get() == grant
    assert len(mails("access_resumed")) == 1


def test_a_grant_whose_end_passes_while_suspended_is_never_resumed(grant: Grant) -> None:
    lifecycle.suspend(grant, by=None, reason="we look into it", until=NOW() + DAY)
    periodic_sweep.run(NOW() + 200 * DAY)
    grant.refresh_from_db()
    assert grant.state == Grant.State.EXPIRED
    with pytest.raises(TransitionRefused, match="expired"):
        lifecycle.resume(grant, by=None)


@pytest.mark.parametrize("days", [0, -1])
def test_a_suspension_that_has_ended_already_is_refused(days: int, grant: Grant) -> None:
    with pytest.raises(InvalidValue):
        lifecycle.suspend(grant, by=None, reason="we look into it", until=NOW() + days * DAY)
    assert grant.tier in tiers_open_to(grant.user)


def test_a_suspended_holder_can_neither_apply_again_nor_give_it_back(grant: Grant) -> None:
    lifecycle.suspend(grant, by=None, reason="we look into it")
    with pytest.raises(NotAllowed, match="on hold"):
        refuse_to_apply(grant.user, grant.tier)
    with pytest.raises(TransitionRefused):
        lifecycle.surrender(grant, by=grant.user)


# -- every transition, and who may make it -------------------------------------------------------

MOVES: dict[str, Callable[[Grant, User], object]] = {
    "suspend": lambda grant, by: lifecycle.suspend(grant, by=by, reason="we look into it"),
    "resume": lambda grant, by: lifecycle.resume(grant, by=by),
    "revoke": lambda grant, by: lifecycle.revoke(grant, by=by, reason="it leaked", code="leak"),
}


def _give_back(grant: Grant, by: User) -> object:
    return lifecycle.surrender(grant, by=grant.user)


LEAVES = {
    "suspend": {"active"},
    "resume": {"suspended"},
    "revoke": {"active", "suspended"},
    "surrender": {"active"},
}


@pytest.mark.parametrize("state", list(Grant.State))
@pytest.mark.parametrize("move", list(LEAVES))
def test_a_transition_leaves_only_its_own_states(
    move: str, state: str, grant: Grant, lead_reviewer: User
) -> None:
    Grant.objects.filter(pk=grant.pk).update(state=state)
    grant = Grant.objects.get(pk=grant.pk)
    make = MOVES.get(move, _give_back)
    if state in LEAVES[move]:
        make(grant, lead_reviewer)
        return
    before = AuditEvent.objects.count(), OutgoingMail.objects.count()
    with pytest.raises(TransitionRefused):
        make(grant, lead_reviewer)
    assert (AuditEvent.objects.count(), OutgoingMail.objects.count()) == before
    assert Grant.objects.get(pk=grant.pk).state == state


@pytest.mark.parametrize("move", list(MOVES))
def test_only_lead_reviewers_of_the_tier_make_transitions_of_staff(
    move: str, grant: Grant, reviewer: User
) -> None:
    other_tier = factories.tier("other")
    lead_elsewhere = factories.staff("elsewhere", Role.LEAD_REVIEWER, other_tier)
    for person in (reviewer, lead_elsewhere, grant.user):
        with pytest.raises(NotAllowed):
            MOVES[move](grant, person)
    with pytest.raises(NotAllowed):
        lifecycle.surrender(grant, by=reviewer)
    RoleAssignment.objects.assign(lead_elsewhere, Role.LEAD_REVIEWER, grant.tier)
    if move == "resume":
        lifecycle.suspend(grant, by=lead_elsewhere, reason="we look into it")
    MOVES[move](grant, lead_elsewhere)


def test_a_reason_of_another_action_is_refused(grant: Grant) -> None:
    with pytest.raises(InvalidValue, match="does not fit suspend"):
        lifecycle.suspend(grant, by=None, reason="we look into it", code="spam")
    with pytest.raises(InvalidValue, match="enter a reason"):
        lifecycle.revoke(grant, by=None, reason=" ")


# -- time -----------------------------------------------------------------------------------------


def test_the_holder_is_reminded_at_thirty_seven_and_one_day_each_once(grant: Grant) -> None:
    for days in (31, 29.9, 20, 6.9, 3, 0.9):
        set_end(grant, days)
        periodic_sweep.run()
        periodic_sweep.run()
    subjects = [mail.subject for mail in mails("access_ending")]
    assert [subject.split(" ends ")[1] for subject in subjects] == [
        "in 30 days",
        "in 7 days",
        "within a day",
    ]
    set_end(grant, -0.1)
    periodic_sweep.run()
    periodic_sweep.run()
    assert len(mails("access_ended")) == 1
    grant.refresh_from_db()
    assert (grant.state, grant.ended_at) == (Grant.State.EXPIRED, grant.expires_at)


def test_a_sweep_after_a_long_pause_sends_one_reminder(grant: Grant) -> None:
    set_end(grant, 0.5)
    periodic_sweep.run()
    assert len(mails("access_ending")) == 1


def test_a_short_grant_is_not_reminded_on_its_first_day(grant: Grant) -> None:
    set_end(grant, 5, term=0)
    periodic_sweep.run()
    assert mails("access_ending") == []


def test_an_idle_sweep_makes_one_query_a_step_and_leaves_its_heartbeat(
    grant: Grant, django_assert_num_queries: Callable[..., Any]
) -> None:
    periodic_sweep.run()
    with django_assert_num_queries(5 + 5):
        periodic_sweep.run()


# -- pages ----------------------------------------------------------------------------------------


def test_a_holder_gives_a_grant_back_on_a_page_that_asks_first(
    client: Client, grant: Grant
) -> None:
    client.force_login(grant.user)
    page = reverse("accounts:grant-surrender", args=[grant.public_id])
    assert page in client.get("/access/").text
    assert "cannot be undone" in client.get(page).text
    assert grant.tier in tiers_open_to(grant.user)
    assert "You gave up your access" in client.post(page).text
    assert grant.tier not in tiers_open_to(grant.user)
    assert client.post(page).status_code == 409
    assert len(mails("access_surrendered")) == 1


def test_another_persons_grant_cannot_be_surrendered(
    client: Client, grant: Grant, other_person: User
) -> None:
    client.force_login(other_person)
    page = reverse("accounts:grant-surrender", args=[grant.public_id])
    assert client.post(page).status_code == 404
    assert grant.tier in tiers_open_to(grant.user)


def test_a_hold_is_shown_to_its_holder_with_its_reason(client: Client, grant: Grant) -> None:
    lifecycle.suspend(grant, by=None, reason="We look into a leak.", until=NOW() + 3 * DAY)
    client.force_login(grant.user)
    page = client.get("/access/").text
    assert "On hold" in page
    assert "We look into a leak." in page


def test_a_lead_suspends_and_resumes_in_the_admin_and_sees_the_receipt(
    client: Client, lead_reviewer: User, grant: Grant
) -> None:
    client.force_login(lead_reviewer)
    grants = reverse("admin:accounts_grant_changelist")
    chosen = {"_selected_action": grant.pk, "confirmed": "1"}
    form = {"code": "", "reason": "We look into a leak.", "until_0": "", "until_1": ""}
    receipt = client.post(grants, {"action": "suspend", **chosen, **form}).text
    assert "No address of the store is known to be alive." in receipt
    grant.refresh_from_db()
    assert grant.is_suspended
    client.post(grants, {"action": "resume", **chosen})
    grant.refresh_from_db()
    assert grant.is_live
    again = client.post(grants, {"action": "resume", **chosen}).text
    assert "Nothing was done" in again


def test_staff_see_the_grants_of_their_own_tiers(
    client: Client, grant: Grant, reviewer: User
) -> None:
    elsewhere = factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("other"))
    page = reverse("admin:accounts_grant_change", args=[grant.pk])
    client.force_login(reviewer)
    assert client.get(page).status_code == 200
    client.force_login(elsewhere)
    assert client.get(page).status_code == 404  # as for a grant that does not exist
    assert grant.user.username not in client.get(reverse("admin:accounts_grant_changelist")).text
