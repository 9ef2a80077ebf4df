"""The reason catalogue in the admin: lead reviewers edit it, and its history is kept."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.applications import messages
from accounts.audit.models import AuditEvent
from accounts.review.models import ReasonText
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

LIST = reverse("admin:accounts_reasontext_changelist")
ADD = reverse("admin:accounts_reasontext_add")
NEW = {"code": "spam", "label": "No research is named", "remedy": "Write again with a project."}


def test_a_change_adds_a_wording_that_the_next_mail_uses(
    client: Client, lead_reviewer: User, applicant: User, gated_tier: Tier
) -> None:
    client.force_login(lead_reviewer)
    assert (
        "This is not a research application"
        in client.get(ADD, {"code": "spam", "label": "This is not a research application"}).text
    )
    assert client.post(ADD, NEW).status_code == 302
    client.post(ADD, NEW | {"label": "No research question is named"})
    assert [(one.label, one.made_by) for one in ReasonText.objects.order_by("pk")] == [
        ("No research is named", lead_reviewer),
        ("No research question is named", lead_reviewer),
    ]
    application = factories.submitted(applicant, gated_tier)
    mail = messages.compose_rejected(application, reasons=["spam"], note="")
    assert "No research question is named. Write again with a project." in mail.text
    page = client.get(LIST).text
    assert "No research is named" in page
    assert "No research question is named" in page
    event = AuditEvent.objects.filter(action="reason_text.changed").last()
    assert event is not None
    assert (event.actor_name, event.details["code"]) == ("lead", "spam")


def test_the_text_in_force_is_not_saved_twice(client: Client, lead_reviewer: User) -> None:
    client.force_login(lead_reviewer)
    client.post(ADD, NEW)
    assert "text is already in force" in client.post(ADD, NEW).text
    assert ReasonText.objects.count() == 1


def test_no_wording_is_edited_or_deleted(client: Client, lead_reviewer: User) -> None:
    text = ReasonText.objects.create(**NEW)
    client.force_login(lead_reviewer)
    for view in ("change", "delete"):
        client.post(
            reverse(f"admin:accounts_reasontext_{view}", args=[text.pk]),
            NEW | {"post": "yes", "label": "x"},
        )
    assert ReasonText.objects.get().label == NEW["label"]


@pytest.mark.parametrize("role", [role for role in Role if role != Role.LEAD_REVIEWER])
def test_only_entitled_staff_edit_reasons(role: Role, client: Client) -> None:
    client.force_login(factories.staff("staff", role))
    assert client.post(ADD, NEW).status_code == 403
    assert not ReasonText.objects.exists()
    readers = {Role.REVIEWER, Role.AUDITOR}
    assert client.get(LIST).status_code == (200 if role in readers else 403)
