"""Rules of review apply to every caller of the services, not only to the pages."""

import pytest

from accounts.applications.models import Application
from accounts.audit.models import AuditEvent
from accounts.errors import AlreadyHeld, NotAllowed
from accounts.review import services
from accounts.review.models import ReasonText
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NOTE = "This does not describe a research project; please write to us if it does."


def test_asking_about_an_unclaimed_application_claims_it(
    application: Application, reviewer: User
) -> None:
    colleague = factories.staff("colleague", Role.REVIEWER)
    services.ask_colleague(application, colleague, "Do you know this group?", by=reviewer)
    services.ask_colleague(application, colleague, "And their plan?", by=reviewer)
    assert (application.status, application.claimed_by) == ("in_review", reviewer)
    assert application.consultations.count() == 2


def test_only_a_lead_reviewer_rejects_in_a_batch(
    application: Application, reviewer: User, lead_reviewer: User
) -> None:
    with pytest.raises(NotAllowed, match="not a lead reviewer"):
        services.reject_as_lead(application, by=reviewer, reason="spam", note=NOTE)
    assert Application.objects.get().status == "submitted"
    services.reject_as_lead(application, by=lead_reviewer, reason="spam", note=NOTE)
    assert application.status == "rejected"


def test_only_a_lead_reviewer_changes_a_reasons_text_and_only_to_a_new_one(
    reviewer: User, lead_reviewer: User
) -> None:
    fields = {"code": "spam", "label": "No research is named", "remedy": "Name a project."}
    with pytest.raises(NotAllowed):
        services.change_reason_text(ReasonText(**fields), by=reviewer)
    services.change_reason_text(ReasonText(**fields), by=lead_reviewer)
    with pytest.raises(AlreadyHeld):
        services.change_reason_text(ReasonText(**fields), by=lead_reviewer)
    assert ReasonText.objects.get().made_by == lead_reviewer
    event = AuditEvent.objects.get(action="reason_text.changed")
    assert event.details == fields
