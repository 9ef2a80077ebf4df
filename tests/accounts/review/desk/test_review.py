"""The admin's review page: who sees an application, and what each button does."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from accounts.applications.forms.application import ApplicationForm
from accounts.applications.models import Application
from accounts.applications.questions import LABELS
from accounts.audit.models import AuditEvent
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.review.desk.addresses import button_of, page_of
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NOTE = "The storage plan does not say who can read the weights."


@pytest.mark.slow
def test_the_queue_and_the_page_show_the_consultation(
    desk: Client, application: Application
) -> None:
    queue = desk.get(reverse("admin:accounts_application_changelist"))
    assert application.reference in queue.text
    page = desk.get(page_of(application))
    assert page.status_code == 200
    assert application.answers["abstract"] in page.text
    assert "confirmed" in page.text


@pytest.mark.requirement("PR-1")
def test_every_question_is_shown_to_the_reviewer(
    desk: Client, applicant: User, gated_tier: Tier
) -> None:
    data = {**factories.ANSWERS, "commercial": "yes", "commercial_detail": "A spin-off, perhaps."}
    page = desk.get(page_of(factories.submitted(applicant, gated_tier, answers=data))).text
    assert set(ApplicationForm.base_fields) == set(LABELS)
    assert [key for key, label in LABELS.items() if escape(label) not in page] == []


def test_the_status_is_nowhere_an_input(desk: Client, application: Application) -> None:
    page = desk.get(page_of(application)).text
    assert 'name="status"' not in page
    assert "_save" not in page


def test_approve_gives_the_grant_and_mails_the_applicant(
    desk: Client, application: Application, reviewer: User
) -> None:
    done = desk.post(
        button_of(application, "approve"), {"days": "30", "confirmed": "on"}, follow=True
    )
    assert "approved until" in done.text
    grant = Grant.objects.get(application=application)
    assert grant.made_by == reviewer
    assert (grant.expires_at - grant.starts_at).days in {29, 30}
    assert OutgoingMail.objects.filter(kind="application_approved").count() == 1


@pytest.mark.slow
def test_approve_pressed_twice_makes_one_grant_and_shows_the_state(
    desk: Client, application: Application
) -> None:
    desk.post(button_of(application, "approve"), {"days": "30", "confirmed": "on"})
    again = desk.post(button_of(application, "approve"), {"days": "30", "confirmed": "on"})
    assert again.status_code == 200
    assert "is approved" in again.text
    assert Grant.objects.count() == 1


def test_a_rejection_without_a_note_keeps_what_was_typed(
    desk: Client, application: Application
) -> None:
    typed = {"reject_reasons": "spam", "note": "short", "internal_note": "kept words"}
    page = desk.post(button_of(application, "reject"), typed)
    assert "at least 20 characters" in page.text
    assert "kept words" in page.text
    application.refresh_from_db()
    assert application.status == "submitted"


def test_reject_tells_the_applicant_why(desk: Client, application: Application) -> None:
    typed = {"reject_reasons": ["plan_insufficient"], "note": NOTE}
    assert desk.post(button_of(application, "reject"), typed).status_code == 302
    application.refresh_from_db()
    assert application.status == "rejected"
    assert NOTE in OutgoingMail.objects.get(kind="application_rejected").text


def test_claim_and_release_move_it_in_and_out_of_review(
    desk: Client, application: Application
) -> None:
    desk.post(button_of(application, "claim"))
    application.refresh_from_db()
    assert application.status == "in_review"
    desk.post(button_of(application, "release"))
    application.refresh_from_db()
    assert (application.status, application.claimed_by) == ("submitted", None)


def test_an_application_of_another_tier_does_not_exist_for_a_reviewer(
    client: Client, application: Application
) -> None:
    client.force_login(factories.staff("elsewhere", Role.REVIEWER, factories.tier("other-tier")))
    assert client.get(page_of(application)).status_code == 404
    decided = client.post(button_of(application, "approve"), {"days": "30", "confirmed": "on"})
    assert decided.status_code == 404
    assert not Grant.objects.exists()


def test_an_auditor_reads_but_decides_nothing(
    client: Client, application: Application, auditor: User
) -> None:
    client.force_login(auditor)
    page = client.get(page_of(application))
    assert page.status_code == 200
    assert 'value="Approve"' not in page.text
    client.post(button_of(application, "approve"), {"days": "30", "confirmed": "on"})
    assert not Grant.objects.exists()


@pytest.mark.parametrize("role", [Role.RELEASE_OWNER, Role.ADMINISTRATOR])
def test_other_staff_see_no_applications(
    role: Role, client: Client, application: Application
) -> None:
    client.force_login(factories.staff("others", role))
    assert application.reference not in client.get(page_of(application), follow=True).text


def test_a_researcher_gets_no_admin_page(
    client: Client, application: Application, applicant: User
) -> None:
    client.force_login(applicant)
    assert client.get(page_of(application)).status_code in {302, 403}
    assert client.post(button_of(application, "approve")).status_code in {302, 403}


def test_markup_in_answers_is_shown_as_text(
    desk: Client, applicant: User, gated_tier: Tier
) -> None:
    answers = {**factories.ANSWERS, "abstract": "<script>alert(1)</script> طلب باحث"}
    page = desk.get(page_of(factories.submitted(applicant, gated_tier, answers))).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "طلب باحث" in page


def test_a_lead_reviewer_revokes_with_a_reason(
    client: Client, lead_reviewer: User, applicant: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, gated_tier)
    client.force_login(lead_reviewer)
    grants = reverse("admin:accounts_grant_changelist")
    asked = client.post(grants, {"action": "revoke", "_selected_action": grant.pk})
    assert "Revoke access" in asked.text
    grant.refresh_from_db()
    assert grant.is_live
    data = {"confirmed": "1", "code": "leak", "reason": "weights were leaked"}
    client.post(grants, {"action": "revoke", "_selected_action": grant.pk, **data})
    grant.refresh_from_db()
    assert (grant.state, grant.end_reason) == ("revoked", "weights were leaked")
    event = AuditEvent.objects.get(action="grant.revoked")
    assert event.actor_name == "lead"


def test_a_reviewer_is_not_offered_revocation(
    desk: Client, applicant: User, gated_tier: Tier
) -> None:
    grant = factories.grant(applicant, gated_tier)
    grants = reverse("admin:accounts_grant_changelist")
    data = {"confirmed": "1", "code": "leak", "reason": "not mine to do"}
    desk.post(grants, {"action": "revoke", "_selected_action": grant.pk, **data})
    grant.refresh_from_db()
    assert grant.is_live


def test_staff_beyond_loopback_need_a_second_factor(
    desk: Client, settings: pytest.FixtureRequest
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"  # type: ignore[attr-defined]
    answer = desk.get("/admin/")
    assert answer.status_code == 302
    assert desk.get("/admin/", follow=True).redirect_chain[-1][0].startswith("/accounts/2fa/")


# -- mails ------------------------------------------------------------------------------


def _again(desk: Client, application: Application, mail: OutgoingMail) -> str:
    posted = {"mail-mail": str(mail.public_id)}
    return desk.post(button_of(application, "mail"), posted, follow=True).text


@pytest.mark.slow
def test_a_reviewer_reads_each_mail_and_sends_it_again(
    desk: Client, application: Application, reviewer: User
) -> None:
    OutgoingMail.objects.update(state="failed", attempts=8, last_error="no such host")
    mail = OutgoingMail.objects.get()
    page = desk.get(page_of(application)).text
    assert "no such host" in page
    assert "has arrived" in page
    assert "was sent again" in _again(desk, application, mail)
    mail.refresh_from_db()
    assert mail.state == "queued"
    event = AuditEvent.objects.about(application).latest("pk")
    assert (event.action, event.actor_name) == ("application.mail_again", reviewer.username)


@pytest.mark.slow
def test_a_mail_about_something_else_is_not_sent_from_this_page(
    desk: Client, application: Application
) -> None:
    factories.submitted(factories.person(), factories.tier("elsewhere"))
    OutgoingMail.objects.update(state="failed")
    other = OutgoingMail.objects.exclude(object_id=str(application.public_id)).get()
    assert "about something else" in _again(desk, application, other)
    other.refresh_from_db()
    assert other.state == "failed"


def test_an_auditor_reads_mails_and_sends_none(client: Client, application: Application) -> None:
    client.force_login(factories.staff("auditor", Role.AUDITOR))
    OutgoingMail.objects.update(state="failed")
    page = client.get(page_of(application)).text
    assert "has arrived" in page
    assert "Send it again" not in page
    _again(client, application, OutgoingMail.objects.get())
    assert OutgoingMail.objects.get().state == "failed"
