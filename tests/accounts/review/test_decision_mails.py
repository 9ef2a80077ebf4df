"""A decision's mail is the one that the reviewer read before deciding."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.applications import messages
from accounts.applications.models import Application
from accounts.applications.workflow import decisions, submission
from accounts.mail.models import OutgoingMail
from accounts.mail.outbox import Message
from accounts.review.messages import compose_second_approval
from accounts.review.models import ReasonText
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

UNTIL = datetime(2031, 2, 28, 23, 59, tzinfo=UTC)
NOTE = "The plan names <no> reader & no end: 计划 لم يذكر أحدا."


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier)


def written(kind: str) -> list[Message]:
    """The outbox's rows of one kind, as they would have been composed."""
    rows = OutgoingMail.objects.filter(kind=kind).order_by("pk")
    return [Message(row.kind, row.to, row.subject, row.text, row.recipient) for row in rows]


def test_an_approval_mails_what_was_composed(application: Application, reviewer: User) -> None:
    composed = messages.compose_approved(application, until=UNTIL, note=NOTE)
    decisions.approve(application, by=reviewer, until=UNTIL, note=NOTE, confirmed=True)
    assert written("application_approved") == [composed]
    assert "28 February 2031, 23:59 UTC" in composed.text
    assert NOTE in composed.text


def test_a_rejection_mails_what_was_composed(application: Application, reviewer: User) -> None:
    ReasonText.objects.create(code="spam", label="No research here", remedy="Ask a colleague.")
    reasons, note = ["spam", "duplicate"], f"{NOTE} See A-2026-00007."
    composed = messages.compose_rejected(application, reasons=reasons, note=note)
    decisions.reject(application, by=reviewer, reasons=reasons, note=note)
    assert written("application_rejected") == [composed]
    assert "No research here. Ask a colleague." in composed.text
    again = timezone.now() + timedelta(days=90)
    assert f"after 90 days, from {again.day} {again:%B %Y}" in composed.text


def test_a_return_mails_what_was_composed(application: Application, reviewer: User) -> None:
    remarks = {"abstract": "Which method?\n", "title": "", "storage_plan": "Until when?"}
    remarks["storage_plan"] += "\nAnd who deletes it?"
    data: dict[str, Any] = {"reasons": ["purpose_unclear"], "remarks": remarks, "note": NOTE}
    composed = messages.compose_returned(application, **data)
    decisions.return_for_changes(application, by=reviewer, **data)
    assert written("application_returned") == [composed]
    assert "Which method?" in composed.text
    assert "Project title" not in composed.text
    assert "are deleted:\n  Until when?\n  And who deletes it?\n" in composed.text
    ends = timezone.now() + timedelta(days=30)
    assert f"submit again by {ends.day} {ends:%B %Y}" in composed.text


def test_a_first_approval_mails_the_other_reviewers_what_was_composed(
    applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two-approvals", approvals_needed=2)
    application = factories.submitted(applicant, tier)
    factories.staff("elsewhere", Role.REVIEWER, factories.tier("another"))
    composed = compose_second_approval(application, reviewer)
    decisions.approve(application, by=reviewer, confirmed=True)
    assert written("second_approval_wanted") == composed
    assert [message.recipient for message in composed] == [lead_reviewer]
    assert written("application_approved") == []


def test_a_suspended_reviewer_gets_no_request_for_a_second_approval(
    applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two-approvals", approvals_needed=2)
    application = factories.submitted(applicant, tier)
    User.objects.filter(pk=lead_reviewer.pk).update(suspended_at=timezone.now())
    assert compose_second_approval(application, reviewer) == []


# -- texts ------------------------------------------------------------------------------


def test_a_receipt_names_who_wrote_and_the_day_of_the_answer(application: Application) -> None:
    (receipt,) = written("application_received")
    due = application.due_on
    assert due is not None
    assert application.reference in receipt.subject
    assert f"Dear {application.answers['full_name']}," in receipt.text
    assert "5 working days: you will hear from us by" in receipt.text
    assert f"by {due.day} {due:%B %Y}, by e-mail" in receipt.text


def test_the_receipt_of_a_resubmission_says_that_the_place_in_the_queue_is_preserved(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.returned(applicant, gated_tier, reviewer)
    sha256 = factories.in_force(gated_tier).text_sha256
    submission.submit(application, by=applicant, licence_sha256=sha256)
    again = written("application_received")[1]
    assert "again, with your changes; it kept its place in the queue" in again.text
    assert "five" not in again.text


def test_the_target_is_the_portals_own(
    applicant: User, gated_tier: Tier, settings: pytest.FixtureRequest
) -> None:
    settings.ANSWER_DAYS = 1  # type: ignore[attr-defined]
    factories.submitted(applicant, gated_tier)
    assert "1 working day: you will hear" in written("application_received")[0].text


@pytest.mark.usefixtures("store")
def test_an_approval_names_what_it_opens_and_the_first_command(application: Application) -> None:
    tier = application.tier
    factories.published("acme/large", tier)
    factories.published("acme/secret", tier, private=True)
    later = timezone.now() + timedelta(days=1)
    factories.published("acme/later", tier, embargo_until=later)
    factories.published("acme/elsewhere")
    mail = messages.compose_approved(application, until=UNTIL, note="")
    assert (
        "You can now download:\n\n  acme/large\n\nYou will receive a separate e-mail" in mail.text
    )
    assert "hf download acme/large\n" in mail.text


def test_an_approval_for_a_tier_without_bytes_says_so(application: Application) -> None:
    mail = messages.compose_approved(application, until=UNTIL, note="")
    assert "None of its checkpoints is published here yet" in mail.text
    assert "hf download" not in mail.text


def test_an_approval_says_where_to_report_a_leak(application: Application) -> None:
    mail = messages.compose_approved(application, until=UNTIL, note="")
    assert "within 72 hours, at http://127.0.0.1:8000/report/\n" in mail.text


@pytest.mark.usefixtures("store")
def test_an_approval_counts_what_it_does_not_name(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A bound made small, so that two checkpoints are more than it.
    monkeypatch.setattr("accounts.applications.messages.NAMED", 1)
    for name in ("acme/b", "acme/a"):
        factories.published(name, application.tier)
    mail = messages.compose_approved(application, until=UNTIL, note="")
    assert "  acme/a\n  and 1 more, listed with your access" in mail.text
