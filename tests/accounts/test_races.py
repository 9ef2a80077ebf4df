"""Two hurried people at the same instant, each on a connection of their own: one effect."""

import pytest

from accounts import break_glass
from accounts.models import Application, AuditEvent, Grant, OutgoingMail, Tier, User
from accounts.roles import Role
from tests import factories
from tests.hurry import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_reviewers_deciding_at_once_yield_one_decision(
    applicant: User, gated_tier: Tier
) -> None:
    application = factories.submitted(applicant, gated_tier)
    people = [factories.staff(name, Role.REVIEWER) for name in ("first", "second")]
    note = "The plan does not say who can read the weights."
    results = at_once(
        lambda: Application.objects.get(pk=application.pk).approve(by=people[0]),
        lambda: Application.objects.get(pk=application.pk).reject(
            by=people[1], reasons=["purpose_unclear"], note=note
        ),
    )
    assert results.count("done") == 1
    application.refresh_from_db()
    assert application.decisions.count() == 1
    assert Grant.objects.count() == (application.status == "approved")
    assert OutgoingMail.objects.filter(kind__in=_VERDICTS).count() == 1


_VERDICTS = ["application_approved", "application_rejected"]


def test_one_draft_submitted_twice_at_once_is_submitted_once(
    applicant: User, gated_tier: Tier
) -> None:
    draft = Application.objects.start(applicant, gated_tier)
    draft.save_answers(factories.ANSWERS, by=applicant, seen_version=0)
    sha = factories.in_force(gated_tier).text_sha256

    def submit() -> None:
        Application.objects.get(pk=draft.pk).submit(by=applicant, licence_sha256=sha)

    assert at_once(submit, submit).count("done") == 1
    assert draft.snapshots.count() == 1
    assert OutgoingMail.objects.filter(kind="application_received").count() == 1


def test_the_same_break_glass_grant_given_twice_at_once_is_one_grant(
    applicant: User, gated_tier: Tier
) -> None:
    def give() -> None:
        break_glass.give(applicant, gated_tier, days=30, reason="the same reason")

    assert at_once(give, give) == ["done", "done"]
    assert Grant.objects.count() == 1
    assert AuditEvent.objects.filter(action="grant.given").count() == 1


def test_two_starts_at_once_make_one_draft(applicant: User, gated_tier: Tier) -> None:
    def start() -> None:
        Application.objects.start(applicant, gated_tier)

    assert at_once(start, start, start) == ["done"] * 3
    assert Application.objects.count() == 1


def test_two_reviewers_claiming_at_once_yield_one_claim(applicant: User, gated_tier: Tier) -> None:
    application = factories.submitted(applicant, gated_tier)
    people = [factories.staff(name, Role.REVIEWER) for name in ("first", "second", "third")]

    def claim(person: User) -> None:
        Application.objects.get(pk=application.pk).claim(by=person)

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
    assert application.approve(by=first) is None

    def approve(person: User) -> None:
        Application.objects.get(pk=application.pk).approve(by=person)

    results = at_once(*(lambda person=person: approve(person) for person in others))
    assert results.count("done") == 1
    assert Grant.objects.filter(application=application).count() == 1
    assert OutgoingMail.objects.filter(kind="application_approved").count() == 1
