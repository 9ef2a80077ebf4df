"""Reopening: a lead reviewer returns a decided application to the queue, which ends access."""

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from accounts.applications import messages
from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import decisions, submission
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, NotAllowed, TransitionRefused
from accounts.grants.models import Grant
from accounts.grants.queries import tiers_open_to
from accounts.mail.models import OutgoingMail
from accounts.privacy.erasure import erase
from accounts.roles.permissions import Role
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def approved(applicant: User, gated_tier: Tier, reviewer: User) -> Application:
    application = factories.submitted(applicant, gated_tier)
    decisions.approve(application, by=reviewer, confirmed=True)
    return application


def reopen(application: Application, by: User, reason: str = "") -> Application:
    return decisions.reopen(application.applicant, application.tier, by=by, reason=reason)


# -- who may ----------------------------------------------------------------------------


def elsewhere(tier: Tier) -> User:
    return factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("another"))


REFUSED: dict[str, Callable[[Tier], User]] = {
    "anybody": lambda tier: factories.person("anybody"),
    "lead reviewer of another tier": elsewhere,
    **{
        role: lambda tier, role=role: factories.staff("staff", role)  # type: ignore[misc]
        for role in Role
        if role != Role.LEAD_REVIEWER
    },
}


@pytest.mark.parametrize("who", REFUSED)
def test_only_a_lead_reviewer_of_the_tier_reopens(who: str, approved: Application) -> None:
    with pytest.raises(NotAllowed):
        reopen(approved, REFUSED[who](approved.tier))
    assert Application.objects.count() == 1
    assert approved.tier in tiers_open_to(approved.applicant)


def test_nobody_is_left_to_reopen_for_once_an_account_is_erased(
    approved: Application, lead_reviewer: User
) -> None:
    erase(approved.applicant, by=approved.applicant)
    with pytest.raises(TransitionRefused, match="erased"):
        reopen(approved, lead_reviewer)
    assert Application.objects.count() == 1


def test_a_lead_reviewer_of_this_tier_alone_reopens(approved: Application) -> None:
    lead = factories.staff("lead", Role.LEAD_REVIEWER, approved.tier)
    assert reopen(approved, lead).status == Status.SUBMITTED


def test_nobody_reopens_their_own(gated_tier: Tier, lead_reviewer: User) -> None:
    factories.grant(lead_reviewer, gated_tier)
    with pytest.raises(NotAllowed, match="your own"):
        decisions.reopen(lead_reviewer, gated_tier, by=lead_reviewer)


# -- what it does -----------------------------------------------------------------------


def test_the_live_grant_ends_with_it(approved: Application, lead_reviewer: User) -> None:
    reopened = reopen(approved, lead_reviewer, "the affiliation ended")
    grant = Grant.objects.get()
    assert (grant.state, grant.end_reason) == (Grant.State.REVOKED, "the affiliation ended")
    assert approved.tier not in tiers_open_to(approved.applicant)
    event = AuditEvent.objects.get(action="application.reopen")
    assert event.actor_name == lead_reviewer.username
    assert event.details["predecessor"] == approved.reference
    mail = OutgoingMail.objects.get(kind="application_reopened")
    assert reopened.reference in mail.text
    assert "the affiliation ended" in mail.text


def test_access_stays_where_the_rest_fails(
    approved: Application, lead_reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The revocation is in the transaction of the new application."""

    def fail(*facts: object) -> None:
        assert Grant.objects.get().state == Grant.State.REVOKED
        raise RuntimeError("no mail")

    # The last step fails, as a full disk would have it, after every other was taken.
    monkeypatch.setattr(messages, "application_reopened", fail)
    with pytest.raises(RuntimeError):
        reopen(approved, lead_reviewer)
    assert Application.objects.get() == approved
    assert approved.tier in tiers_open_to(approved.applicant)


def test_it_carries_the_answers_last_submitted(approved: Application, lead_reviewer: User) -> None:
    before = approved.latest_snapshot
    reopened = reopen(approved, lead_reviewer)
    carried = reopened.latest_snapshot
    assert before is not None
    assert carried is not None
    assert (carried.answers, carried.licence_version) == (before.answers, before.licence_version)
    assert (carried.number, carried.pk != before.pk) == (1, True)
    assert (reopened.kind, reopened.predecessor) == (Application.Kind.REOPENED, approved)
    approved.refresh_from_db()
    assert approved.status == Status.APPROVED


def test_a_rejected_one_is_reopened_and_approved(
    applicant: User, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    decisions.reject(
        application, by=reviewer, reasons=["purpose_unclear"], note="Say which question and how."
    )
    decisions.approve(reopen(application, lead_reviewer), by=reviewer, confirmed=True)
    assert gated_tier in tiers_open_to(applicant)


def test_a_grant_without_an_application_is_reopened_without_answers(
    applicant: User, gated_tier: Tier, lead_reviewer: User
) -> None:
    factories.grant(applicant, gated_tier)
    reopened = decisions.reopen(applicant, gated_tier, by=lead_reviewer)
    assert (reopened.predecessor, reopened.latest_snapshot) == (None, None)
    assert gated_tier not in tiers_open_to(applicant)
    grant = factories.approved(reopened, lead_reviewer)
    assert grant.licence_version == factories.in_force(gated_tier)
    assert gated_tier in tiers_open_to(applicant)


# -- what there must be -----------------------------------------------------------------


def test_one_open_application_still_holds(approved: Application, lead_reviewer: User) -> None:
    reopened = reopen(approved, lead_reviewer)
    with pytest.raises(AlreadyHeld, match=reopened.reference):
        reopen(approved, lead_reviewer)
    with pytest.raises(AlreadyHeld):
        submission.start(approved.applicant, approved.tier)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(
            applicant=approved.applicant, tier=approved.tier, status=Status.SUBMITTED
        )
    assert Application.objects.open().get() == reopened


def test_there_must_be_something_to_reopen(
    applicant: User, gated_tier: Tier, lead_reviewer: User
) -> None:
    with pytest.raises(TransitionRefused, match="never applied"):
        decisions.reopen(applicant, gated_tier, by=lead_reviewer)


def test_a_tier_without_reviews_has_nothing_to_reopen(applicant: User, lead_reviewer: User) -> None:
    tier = factories.tier("click", AccessMode.CLICK_THROUGH)
    factories.grant(applicant, tier)
    with pytest.raises(TransitionRefused, match="revoke the grant"):
        decisions.reopen(applicant, tier, by=lead_reviewer)
    assert tier in tiers_open_to(applicant)
