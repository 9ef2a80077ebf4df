"""Every transition of the table: new state, permissions and effects."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import IntegrityError, transaction

from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import claims, decisions, submission
from accounts.audit.models import AuditEvent
from accounts.errors import (
    AlreadyHeld,
    InvalidValue,
    LicenceChanged,
    LimitReached,
    NotAllowed,
    TransitionRefused,
)
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

REMARKS = {"abstract": "Name the method."}
NOTE = "The plan does not say who can read the weights, nor when they are deleted."


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier)


def _in(application: Application, status: Status, reviewer: User) -> Application:
    """Bring the application to `status` by transitions, and return it."""
    applicant = application.applicant
    lead: dict[Status, Callable[[], object]] = {
        Status.SUBMITTED: lambda: None,
        Status.IN_REVIEW: lambda: claims.claim(application, by=reviewer),
        Status.RETURNED: lambda: decisions.return_for_changes(
            application, by=reviewer, reasons=["purpose_unclear"], remarks=REMARKS
        ),
        Status.APPROVED: lambda: decisions.approve(application, by=reviewer, confirmed=True),
        Status.REJECTED: lambda: decisions.reject(
            application, by=reviewer, reasons=["purpose_unclear"], note=NOTE
        ),
        Status.WITHDRAWN: lambda: submission.withdraw(application, by=applicant),
    }
    lead[status]()
    return application


def _move(name: str, application: Application, reviewer: User) -> None:
    licence = factories.in_force(application.tier).text_sha256
    by = application.applicant
    moves: dict[str, Callable[[], object]] = {
        "submit": lambda: submission.submit(application, by=by, licence_sha256=licence),
        "resubmit": lambda: submission.submit(application, by=by, licence_sha256=licence),
        "withdraw": lambda: submission.withdraw(application, by=by),
        "claim": lambda: claims.claim(application, by=reviewer),
        "release": lambda: claims.release(application, by=reviewer),
        "approve": lambda: decisions.approve(application, by=reviewer, confirmed=True),
        "return": lambda: decisions.return_for_changes(
            application, by=reviewer, reasons=["incomplete"], remarks=REMARKS
        ),
        "reject": lambda: decisions.reject(application, by=reviewer, reasons=["spam"], note=NOTE),
    }
    moves[name]()


def test_an_approval_gives_a_grant_for_the_tiers_term_under_the_licence_accepted(
    application: Application, reviewer: User
) -> None:
    grant = factories.approved(application, reviewer)
    assert grant.is_live
    assert grant.user == application.applicant
    assert grant.licence_version == application.latest_snapshot.licence_version  # type: ignore[union-attr]
    last_day = grant.starts_at.date() + timedelta(days=365)
    assert grant.expires_at == datetime.combine(last_day, time(23, 59), UTC)
    assert application.claimed_by == reviewer


@pytest.mark.requirement("AU-2", "GT-7")
def test_a_decision_leaves_its_verdict_its_event_and_one_mail(
    application: Application, reviewer: User
) -> None:
    decisions.reject(application, by=reviewer, reasons=["plan_insufficient"], note=NOTE)
    decision = application.decisions.get()
    assert (decision.verdict, decision.reviewer, decision.note) == ("reject", reviewer, NOTE)
    assert AuditEvent.objects.about(application).filter(action="application.reject").count() == 1
    mail = OutgoingMail.objects.get(kind="application_rejected")
    assert NOTE in mail.text
    assert "who can read them" in mail.text  # the remedy of the reason


@pytest.mark.requirement("GT-7")
def test_nobody_decides_their_own_application(gated_tier: Tier) -> None:
    own = factories.staff("own", Role.REVIEWER)
    application = factories.submitted(own, gated_tier)
    with pytest.raises(NotAllowed, match="own application"):
        decisions.approve(application, by=own, confirmed=True)
    assert not Grant.objects.exists()


def test_a_reviewer_of_another_tier_decides_nothing(application: Application) -> None:
    elsewhere = factories.staff("elsewhere", Role.REVIEWER, factories.tier("other-tier"))
    with pytest.raises(NotAllowed, match="not have a reviewer role"):
        decisions.approve(application, by=elsewhere, confirmed=True)
    assert application not in Application.objects.readable_by(elsewhere)


def test_a_superuser_without_a_role_decides_nothing(application: Application) -> None:
    root = User.objects.create_superuser("toor", "toor@example.org", "x")
    with pytest.raises(NotAllowed):
        decisions.approve(application, by=root, confirmed=True)
    assert not Application.objects.readable_by(root).exists()


def test_a_claimed_application_is_decided_by_its_claimer_alone(
    application: Application, reviewer: User
) -> None:
    claims.claim(application, by=reviewer)
    second = factories.staff("second", Role.REVIEWER)
    with pytest.raises(NotAllowed, match="claimed"):
        decisions.approve(application, by=second, confirmed=True)


def test_the_first_of_two_stale_decisions_stands(application: Application, reviewer: User) -> None:
    stale = Application.objects.get(pk=application.pk)
    decisions.approve(application, by=reviewer, confirmed=True)
    with pytest.raises(TransitionRefused):
        decisions.reject(stale, by=reviewer, reasons=["spam"], note=NOTE)
    assert Grant.objects.filter(user=application.applicant).count() == 1
    assert not OutgoingMail.objects.filter(kind="application_rejected").exists()


@pytest.mark.requirement("AD-5")
@pytest.mark.parametrize(
    ("reasons", "note"),
    [
        ([], NOTE),
        (["purpose_unclear"], "too short"),
        (["incomplete"], NOTE),
        (["other"], NOTE[:40]),
    ],
)
def test_a_rejection_needs_a_fitting_reason_and_a_note_long_enough(
    reasons: list[str], note: str, application: Application, reviewer: User
) -> None:
    with pytest.raises(InvalidValue):
        decisions.reject(application, by=reviewer, reasons=reasons, note=note)
    application.refresh_from_db()
    assert application.status == Status.SUBMITTED


def test_a_licence_that_changed_since_it_was_read_is_not_accepted(
    applicant: User, gated_tier: Tier
) -> None:
    draft = submission.start(applicant, gated_tier)
    with pytest.raises(LicenceChanged):
        submission.submit(draft, by=applicant, licence_sha256="0" * 64)
    draft.refresh_from_db()
    assert draft.status == Status.DRAFT


def test_a_second_application_for_the_same_tier_is_refused_while_one_is_open(
    application: Application, applicant: User, gated_tier: Tier
) -> None:
    with pytest.raises(AlreadyHeld, match=application.reference):
        submission.start(applicant, gated_tier)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(
            applicant=applicant, tier=gated_tier, status=Status.SUBMITTED, form=application.form
        )


def test_an_application_for_a_tier_already_held_is_refused(
    applicant: User, gated_tier: Tier
) -> None:
    factories.grant(applicant, gated_tier)
    with pytest.raises(AlreadyHeld, match="already have"):
        submission.start(applicant, gated_tier)


def test_starting_again_finds_the_draft_instead_of_making_another(
    applicant: User, gated_tier: Tier
) -> None:
    first = submission.start(applicant, gated_tier)
    assert submission.start(applicant, gated_tier) == first


def test_an_unconfirmed_address_may_not_apply(gated_tier: Tier) -> None:
    with pytest.raises(NotAllowed, match="confirm"):
        submission.start(factories.person(confirmed=False), gated_tier)


def test_a_stale_save_is_refused_and_changes_nothing(applicant: User, gated_tier: Tier) -> None:
    draft = submission.start(applicant, gated_tier)
    submission.save_answers(draft, {"title": "Newer"}, by=applicant, expected_version=0)
    with pytest.raises(TransitionRefused, match="another window"):
        submission.save_answers(draft, {"title": "Older"}, by=applicant, expected_version=0)
    draft.refresh_from_db()
    assert draft.answers == {"title": "Newer"}


def test_only_so_many_applications_are_sent_in_a_day(applicant: User) -> None:
    for _ in range(3):
        submission.withdraw(factories.submitted(applicant, factories.tier()), by=applicant)
    with pytest.raises(LimitReached, match="a day"):
        factories.submitted(applicant, factories.tier())


def test_a_rolled_back_decision_sends_nothing(application: Application, reviewer: User) -> None:
    with transaction.atomic():
        decisions.approve(application, by=reviewer, confirmed=True)
        transaction.set_rollback(True)
    assert not OutgoingMail.objects.filter(kind="application_approved").exists()
    assert not Grant.objects.exists()
    assert not AuditEvent.objects.filter(action="application.approve").exists()


def test_a_resubmission_keeps_its_place_and_freezes_a_second_snapshot(
    application: Application, reviewer: User
) -> None:
    first = application.submitted_at
    _in(application, Status.RETURNED, reviewer)
    submission.save_answers(
        application,
        {**application.answers, "title": "Sharper title"},
        by=application.applicant,
        expected_version=application.answers_version,
    )
    _move("resubmit", application, reviewer)
    application.refresh_from_db()
    assert application.submitted_at == first
    assert [snapshot.number for snapshot in application.snapshots.all()] == [1, 2]
    assert application.latest_snapshot.answers["title"] == "Sharper title"  # type: ignore[union-attr]
