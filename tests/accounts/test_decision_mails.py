"""What a decision mails is what was composed before it: the reviewer reads it first."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts import emails
from accounts.models import Application, OutgoingMail, ReasonText, Tier, User
from accounts.outbox import Message
from accounts.roles import Role
from tests import factories

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
    composed = emails.compose_approved(application, until=UNTIL, note=NOTE)
    application.approve(by=reviewer, until=UNTIL, note=NOTE)
    assert written("application_approved") == [composed]
    assert "28 February 2031, 23:59 UTC" in composed.text
    assert NOTE in composed.text


def test_a_rejection_mails_what_was_composed(application: Application, reviewer: User) -> None:
    ReasonText.objects.create(code="spam", label="No research here", remedy="Ask a colleague.")
    reasons = ["spam", "duplicate"]
    composed = emails.compose_rejected(application, reasons=reasons, note=NOTE)
    application.reject(by=reviewer, reasons=reasons, note=NOTE)
    assert written("application_rejected") == [composed]
    assert "No research here. Ask a colleague." in composed.text
    assert "after 90 days" in composed.text


def test_a_return_mails_what_was_composed(application: Application, reviewer: User) -> None:
    remarks = {"abstract": "Which method?\n", "title": "", "storage_plan": "Until when?"}
    said: dict[str, Any] = {"reasons": ["purpose_unclear"], "remarks": remarks, "note": NOTE}
    composed = emails.compose_returned(application, **said)
    application.return_for_changes(by=reviewer, **said)
    assert written("application_returned") == [composed]
    assert "Which method?" in composed.text
    assert "Project title" not in composed.text


def test_a_first_approval_mails_the_other_reviewers_what_was_composed(
    applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two-approvals", approvals_needed=2)
    application = factories.submitted(applicant, tier)
    factories.staff("elsewhere", Role.REVIEWER, factories.tier("another"))
    composed = emails.compose_second_approval(application, reviewer)
    application.approve(by=reviewer)
    assert written("second_approval_wanted") == composed
    assert [message.recipient for message in composed] == [lead_reviewer]
    assert written("application_approved") == []
