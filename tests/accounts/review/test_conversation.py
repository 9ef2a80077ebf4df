"""Questions between reviewers about an application, and remarks until they are settled."""

import pytest

from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, InvalidValue, NotAllowed, TransitionRefused
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier)


@pytest.fixture
def colleague() -> User:
    return factories.staff("colleague", Role.REVIEWER)


def test_a_colleague_answers_a_question_once_and_the_asker_is_mailed(
    application: Application, reviewer: User, colleague: User
) -> None:
    asked = conversation.ask(application, colleague, "Do you know this group?", by=reviewer)
    with pytest.raises(InvalidValue):
        conversation.answer_question(application, asked, " ", by=colleague)
    conversation.answer_question(application, asked, "Yes, well.", by=colleague)
    asked.refresh_from_db()
    assert (asked.answer, asked.answered_at is not None) == ("Yes, well.", True)
    mail = OutgoingMail.objects.get(kind="colleague_answered")
    assert (mail.recipient, "Yes, well." in mail.text) == (reviewer, False)
    with pytest.raises(TransitionRefused):
        conversation.answer_question(application, asked, "No.", by=colleague)


def test_nobody_answers_for_another(
    application: Application, reviewer: User, colleague: User, lead_reviewer: User
) -> None:
    asked = conversation.ask(application, colleague, "Do you know this group?", by=reviewer)
    with pytest.raises(NotAllowed):
        conversation.answer_question(application, asked, "Yes.", by=lead_reviewer)
    refused = AuditEvent.objects.get(action="application.answer_question")
    assert (refused.result, refused.actor_name) == ("not_allowed", "lead")


def test_a_remark_is_ticked_off_and_the_tick_can_be_taken_back(
    application: Application, reviewer: User
) -> None:
    remark = conversation.remark(
        application, "Which method?", by=reviewer, field="abstract", public=True
    )
    conversation.settle(application, remark, by=reviewer)
    conversation.settle(application, remark, by=reviewer)
    remark.refresh_from_db()
    assert (remark.settled_by, remark.settled_at is not None) == (reviewer, True)
    assert AuditEvent.objects.filter(action="application.settle").count() == 1
    conversation.settle(application, remark, by=reviewer, done=False)
    remark.refresh_from_db()
    assert (remark.settled_by, remark.settled_at) == (None, None)


def test_a_claimer_is_reminded_once_a_day_by_a_lead(
    application: Application, reviewer: User, lead_reviewer: User
) -> None:
    with pytest.raises(TransitionRefused):
        claims.remind(application, by=lead_reviewer)
    claims.claim(application, by=reviewer)
    with pytest.raises(NotAllowed):
        claims.remind(application, by=reviewer)
    claims.remind(application, by=lead_reviewer)
    with pytest.raises(AlreadyHeld):
        claims.remind(application, by=lead_reviewer)
    assert OutgoingMail.objects.get(kind="claimer_reminded").recipient == reviewer
