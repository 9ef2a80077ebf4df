"""Deletion of drafts, states of the steps, length limits, and URLs without a scheme."""

import pytest
from django.test import Client

from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.applications.workflow import submission
from accounts.audit.models import AuditEvent
from accounts.errors import NotAllowed, TransitionRefused
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import FormFiller
from tests.support import factories

pytestmark = pytest.mark.one_database


def _with_document(application: Application) -> None:
    attachment = Attachment.objects.create(
        application=application,
        question="extra_approval",
        name="approval.pdf",
        size=4,
        sha256="0" * 64,
        uploaded_by=application.applicant,
    )
    AttachmentContent.objects.create(attachment=attachment, data=b"%PDF")


def test_a_draft_is_deleted_after_a_question_with_its_documents(begun: FormFiller) -> None:
    application = begun.application
    _with_document(application)
    address = f"/applications/{application.public_id}/delete/"
    assert address in begun.page("project")
    assert "Delete this draft?" in begun.client.get(address).text
    assert Application.objects.exists()
    answer = begun.client.post(address, follow=True)
    assert f"The draft {application.reference} is deleted." in answer.text
    assert not Application.objects.exists()
    assert not Attachment.objects.exists()
    assert not AttachmentContent.objects.exists()
    event = AuditEvent.objects.get(action="application.delete")
    assert event.object_id == str(application.public_id)
    assert event.details == {"reference": application.reference, "documents": 1}
    assert begun.client.post(address).status_code == 404


def test_only_its_applicant_deletes_a_draft(begun: FormFiller, other_person: User) -> None:
    with pytest.raises(NotAllowed):
        submission.delete_draft(begun.application, by=other_person)
    client = Client()
    client.force_login(other_person)
    address = f"/applications/{begun.application.public_id}/delete/"
    assert client.post(address).status_code == 404
    assert Application.objects.exists()


def test_a_submitted_application_is_not_deleted(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    application = factories.submitted(applicant, gated_tier)
    with pytest.raises(TransitionRefused):
        submission.delete_draft(application, by=applicant)
    answer = signed_in.get(f"/applications/{application.public_id}/delete/", follow=True)
    assert "withdraw it instead" in answer.text
    assert Application.objects.exists()


@pytest.mark.slow
def test_each_step_carries_its_state(begun: FormFiller) -> None:
    assert begun.page("project").count("Not started") == 3  # the country is known from the start
    begun.save("project", title="Tiny", abstract=None)
    begun.save("plan")
    page = begun.page("project")
    assert page.count('<span class="steps__badge">Needs attention</span>') == 2
    assert page.count('<span class="steps__badge">Done</span>') == 1
    assert page.count('<span class="steps__badge">Not started</span>') == 1


def test_the_limits_of_a_text_are_stated_without_scripts(begun: FormFiller) -> None:
    page = " ".join(begun.page("project").split())
    assert "150 to 5,000 characters" in page
    assert 'data-least="10" data-most="200"' in page


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("example.org/~ada", "https://example.org/~ada"),
        ("https://example.org/ada", "https://example.org/ada"),
        ("not an address", "not an address"),
        ("javascript:alert(1)", "javascript:alert(1)"),
    ],
)
def test_an_address_is_stored_as_the_form_cleans_it(
    begun: FormFiller, typed: str, stored: str
) -> None:
    begun.save("you", profile_url=typed)
    assert begun.application.answers["profile_url"] == stored
    assert begun.save("you", profile_url=typed).status_code == 302


def test_the_applicant_finds_the_address_as_a_link(
    signed_in: Client, gated_tier: Tier, applicant: User
) -> None:
    answers = {**factories.ANSWERS, "profile_url": "https://example.org/~ada"}
    application = factories.submitted(applicant, gated_tier, answers)
    page = signed_in.get(f"/applications/{application.public_id}/").text
    assert '<a href="https://example.org/~ada" rel="nofollow' in page
