"""Concurrent transitions on separate database connections: exactly one takes effect."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.applications.models import Application
from accounts.applications.workflow import claims, decisions, submission, undo_window
from accounts.audit.models import AuditEvent
from accounts.grants import break_glass, lifecycle, periodic_sweep
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.privacy.erasure import erase
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.hurry import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_reviewers_deciding_at_once_yield_one_decision(
    applicant: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    people = [factories.staff(name, Role.REVIEWER) for name in ("first", "second")]
    note = "The plan does not say who can read the weights."
    results = at_once(
        lambda: decisions.approve(
            Application.objects.get(pk=application.pk), by=people[0], confirmed=True
        ),
        lambda: decisions.reject(
            Application.objects.get(pk=application.pk),
            by=people[1],
            reasons=["purpose_unclear"],
            note=note,
        ),
    )
    assert results.count("done") == 1
    application.refresh_from_db()
    assert application.decisions.count() == 1
    assert Grant.objects.count() == (application.status == "approved")
    assert OutgoingMail.objects.filter(kind__in=_VERDICTS).count() == 1


def test_a_withdrawal_and_an_approval_at_once_yield_one_of_them(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    results = at_once(
        lambda: submission.withdraw(Application.objects.get(pk=application.pk), by=applicant),
        lambda: decisions.approve(
            Application.objects.get(pk=application.pk), by=reviewer, confirmed=True
        ),
    )
    assert results.count("done") == 1
    application.refresh_from_db()
    assert Grant.objects.count() == (application.status == "approved")
    told = OutgoingMail.objects.filter(kind__in=[*_VERDICTS, "application_withdrawn"])
    assert [mail.kind for mail in told] == [f"application_{application.status}"]


def test_an_erasure_and_an_approval_at_once_leave_no_access(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    results = at_once(
        lambda: erase(User.objects.get(pk=applicant.pk), by=applicant),
        lambda: decisions.approve(
            Application.objects.get(pk=application.pk), by=reviewer, confirmed=True
        ),
    )
    assert "done" in results
    applicant.refresh_from_db()
    assert applicant.erased_at is None or not Grant.objects.live().exists()
    application.refresh_from_db()
    assert Grant.objects.count() == (application.status == "approved")


_VERDICTS = ["application_approved", "application_rejected"]


def test_one_draft_submitted_twice_at_once_is_submitted_once(
    applicant: User, gated_tier: Tier
) -> None:
    draft = submission.start(applicant, gated_tier)
    submission.save_answers(draft, factories.ANSWERS, by=applicant, expected_version=0)
    sha = factories.in_force(gated_tier).text_sha256

    def submit() -> None:
        submission.submit(Application.objects.get(pk=draft.pk), by=applicant, licence_sha256=sha)

    assert at_once(submit, submit).count("done") == 1
    assert draft.snapshots.count() == 1
    assert OutgoingMail.objects.filter(kind="application_received").count() == 1


def test_the_same_break_glass_grant_given_twice_at_once_is_one_grant(
    applicant: User, gated_tier: Tier
) -> None:
    def give() -> None:
        break_glass.create(applicant, gated_tier, days=30, reason="the same reason")

    assert at_once(give, give) == ["done", "done"]
    assert Grant.objects.count() == 1
    assert AuditEvent.objects.filter(action="grant.given").count() == 1


def test_two_starts_at_once_make_one_draft(applicant: User, gated_tier: Tier) -> None:
    def start() -> None:
        submission.start(applicant, gated_tier)

    assert at_once(start, start, start) == ["done"] * 3
    assert Application.objects.count() == 1


def test_two_reviewers_claiming_at_once_yield_one_claim(applicant: User, gated_tier: Tier) -> None:
    application = factories.submitted(applicant, gated_tier)
    people = [factories.staff(name, Role.REVIEWER) for name in ("first", "second", "third")]

    def claim(person: User) -> None:
        claims.claim(Application.objects.get(pk=application.pk), by=person)

    results = at_once(*(lambda person=person: claim(person) for person in people))
    assert results.count("done") == 1
    application.refresh_from_db()
    events = AuditEvent.objects.about(application).filter(action="application.claim")
    winners = [event.actor_id for event in events if event.result == "ok"]
    assert application.claimed_by is not None
    assert winners == [application.claimed_by.public_id]
    assert events.exclude(result="ok").count() == 2, "the slower ones leave an audit row each"


def test_two_second_approvals_at_once_give_one_grant(applicant: User, gated_tier: Tier) -> None:
    gated_tier.approvals_needed = 2
    gated_tier.save()
    application = factories.submitted(applicant, gated_tier)
    first, *others = [factories.staff(name, Role.REVIEWER) for name in ("one", "two", "three")]
    assert decisions.approve(application, by=first, confirmed=True) is None

    def approve(person: User) -> None:
        decisions.approve(Application.objects.get(pk=application.pk), by=person, confirmed=True)

    results = at_once(*(lambda person=person: approve(person) for person in others))
    assert results.count("done") == 1
    assert Grant.objects.filter(application=application).count() == 1
    assert OutgoingMail.objects.filter(kind="application_approved").count() == 1


@pytest.fixture
def decided(applicant: User, gated_tier: Tier, reviewer: User, settings: Settings) -> Application:
    """An approved application whose time to undo has a moment left."""
    settings.DECISION_UNDO_SECONDS = 60
    application = factories.submitted(applicant, gated_tier)
    decisions.approve(application, by=reviewer, confirmed=True)
    return application


def test_two_workers_let_one_decision_take_effect_once(decided: Application) -> None:
    Application.objects.update(pending_until=timezone.now())

    def finish() -> None:
        undo_window.finish(decided.pk)

    assert at_once(finish, finish, finish) == ["done"] * 3
    assert Grant.objects.filter(application=decided).count() == 1
    assert decided.decisions.count() == 1
    assert OutgoingMail.objects.filter(kind="application_approved").count() == 1


def test_an_undo_and_the_effect_at_once_yield_one_of_them(
    decided: Application, reviewer: User
) -> None:
    """The clocks of two machines differ: one already lets it take effect, one still undoes it."""

    def finish() -> None:
        undo_window.finish(decided.pk, now=timezone.now() + timedelta(minutes=2))

    def undo() -> None:
        undo_window.undo(Application.objects.get(pk=decided.pk), by=reviewer)

    at_once(finish, undo)
    decided.refresh_from_db()
    assert decided.pending_until is None
    outcomes = {
        decided.status == "approved",
        Grant.objects.filter(application=decided).exists(),
        decided.decisions.exists(),
        not AuditEvent.objects.filter(action="application.undo", result="ok").exists(),
    }
    assert len(outcomes) == 1, outcomes


def test_two_second_approvers_at_once_open_one_time_to_undo(
    applicant: User, gated_tier: Tier, settings: Settings
) -> None:
    settings.DECISION_UNDO_SECONDS = 60
    gated_tier.approvals_needed = 2
    gated_tier.save()
    application = factories.submitted(applicant, gated_tier)
    first, *others = [factories.staff(name, Role.REVIEWER) for name in ("one", "two", "three")]
    decisions.approve(application, by=first, confirmed=True)

    def approve(person: User) -> None:
        mine = Application.objects.get(pk=application.pk)
        decisions.approve(mine, by=person, confirmed=True)

    results = at_once(*(lambda person=person: approve(person) for person in others))
    assert results == ["bad_transition", "done"]
    assert AuditEvent.objects.filter(action="application.decide", result="ok").count() == 1


def test_one_grant_closed_by_two_at_once_is_closed_once(applicant: User, gated_tier: Tier) -> None:
    grant = factories.grant(applicant, gated_tier)
    leads = [factories.staff(name, Role.LEAD_REVIEWER) for name in ("first", "second")]

    def mine() -> Grant:
        return Grant.objects.get(pk=grant.pk)

    results = at_once(
        lambda: lifecycle.revoke(mine(), by=leads[0], reason="it leaked", code="leak"),
        lambda: lifecycle.surrender(mine(), by=applicant),
    )
    assert results.count("done") == 1
    grant.refresh_from_db()
    assert grant.state in {"revoked", "surrendered"}
    assert AuditEvent.objects.about(grant).filter(action=f"grant.{grant.state}").count() == 1
    kinds = ["access_revoked", "access_surrendered"]
    assert OutgoingMail.objects.filter(kind__in=kinds).count() == 1


def test_two_sweeps_at_once_remind_and_end_each_grant_once(
    applicant: User, other_person: User, gated_tier: Tier
) -> None:
    now = timezone.now()
    held = {"starts_at": now - timedelta(days=90)}
    for person, left in ((applicant, 0.5), (other_person, -0.5)):
        grant = factories.grant(person, gated_tier)
        ends = now + timedelta(days=left)
        Grant.objects.filter(pk=grant.pk).update(expires_at=ends, **held)
    assert at_once(periodic_sweep.run, periodic_sweep.run) == ["done", "done"]
    kinds = OutgoingMail.objects.filter(kind__startswith="access_en").order_by("kind")
    assert list(kinds.values_list("kind", flat=True)) == ["access_ended", "access_ending"]
