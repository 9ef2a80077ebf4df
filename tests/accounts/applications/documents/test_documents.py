"""Documents of an application: upload, who may read them, and removal."""

from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from accounts.applications import inactivity
from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment, AttachmentContent
from accounts.applications.models import Application
from accounts.applications.models.form import Question
from accounts.applications.transition_table import Status
from accounts.applications.workflow import decisions
from accounts.audit.models import AuditEvent
from accounts.errors import LimitReached
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import HARMLESS, HOSTILE
from tests.accounts.applications.form_filler import FormFiller
from tests.support import factories

pytestmark = [pytest.mark.one_database, pytest.mark.slow]

PLAIN = HARMLESS["a blank page"]
OTHER = HARMLESS["opening at a page"]
THIRD = HARMLESS["a link to a page of the web"]


@pytest.fixture
def filler(client: Client, gated_tier: Tier, applicant: User) -> FormFiller:
    """The applicant at a form that asks for a document."""
    Question.objects.create(
        tier=gated_tier, key="approval", label="Ethics approval", kind="file", is_required=True
    )
    client.force_login(applicant)
    filler = FormFiller(client, gated_tier, applicant)
    filler.begin()
    return filler


def place(filler: FormFiller, question: str = "extra_approval") -> str:
    return f"/applications/{filler.application.public_id}/documents/{question}/"


def send(filler: FormFiller, content: bytes = PLAIN, name: str = "approval.pdf") -> Any:
    sent = SimpleUploadedFile(name, content, content_type="application/pdf")
    return filler.client.post(place(filler), {"document": sent})


def read(person: User, document: Attachment) -> Any:
    window = Client()
    window.force_login(person)
    return window.get(f"/applications/documents/{document.public_id}/")


# -- sending --------------------------------------------------------------------------------


def test_the_step_leads_to_the_page_of_the_document_with_its_answers_saved(
    filler: FormFiller,
) -> None:
    answer = filler.save("project", go="document:extra_approval", title="Typed before the document")
    assert answer["Location"] == place(filler)
    assert filler.application.answers["title"] == "Typed before the document"
    assert "Ethics approval" in filler.client.get(place(filler)).content.decode()


def test_a_pdf_is_stored_once_and_shown_on_the_form(filler: FormFiller) -> None:
    for _ in range(2):
        assert send(filler)["Location"] == place(filler)
    kept = Attachment.objects.get()
    assert (kept.name, kept.size) == ("approval.pdf", len(PLAIN))
    assert bytes(kept.content.data) == PLAIN
    assert "approval.pdf" in filler.page("project")
    assert "approval.pdf" in filler.page("review")


def test_a_form_that_demands_a_document_is_not_sent_without_one(filler: FormFiller) -> None:
    filler.fill_in()
    assert filler.submit().status_code == 422
    send(filler)
    filler.submit()
    snapshot = filler.application.latest_snapshot
    assert snapshot is not None
    [told] = snapshot.answers["extra_approval"]
    assert told["sha256"] == Attachment.objects.get().sha256


@pytest.mark.requirement("WB-9")
@pytest.mark.parametrize("name", ["a script on opening", "an archive"])
def test_a_refused_document_gives_a_reason_and_is_not_stored(filler: FormFiller, name: str) -> None:
    answer = send(filler, HOSTILE[name][1])
    assert answer.status_code == 422
    assert "Upload refused" in answer.content.decode()
    assert not Attachment.objects.exists()


@pytest.mark.requirement("WB-9")
def test_a_third_document_is_refused(filler: FormFiller) -> None:
    for content in (PLAIN, OTHER):
        assert send(filler, content).status_code == 302
    with pytest.raises(LimitReached):
        services.attach(
            filler.application, "extra_approval", "x", THIRD, by=filler.application.applicant
        )
    assert "Remove one to upload another" in filler.client.get(place(filler)).content.decode()


@pytest.mark.requirement("WB-9")
def test_a_file_beyond_10_mib_is_refused_before_it_is_read(filler: FormFiller) -> None:
    answer = send(filler, b"%PDF-1.7\n" + bytes(services.MAX_BYTES + 70_000))
    assert answer.status_code == 413
    assert "larger than 10 MiB" in answer.content.decode()


def test_the_refusal_waits_until_the_browser_has_sent_all_and_can_read_it(
    filler: FormFiller,
) -> None:
    body = BytesIO(bytes(services.MAX_BYTES + 70_000))
    sent: dict[str, Any] = {"data": body.getvalue(), "wsgi.input": body}
    answer = filler.client.generic("POST", place(filler), **sent)
    assert answer.status_code == 413
    assert body.read() == b""


def test_no_other_form_takes_a_body_of_that_size(filler: FormFiller) -> None:
    for window, address in (
        (filler.client, filler.url("project")),
        (Client(), "/accounts/login/"),
    ):
        large = SimpleUploadedFile("large.pdf", bytes(2 * 2**20))
        assert window.post(address, {"document": large}).status_code == 413


def test_a_document_needs_the_proof_of_its_form(filler: FormFiller, applicant: User) -> None:
    window = Client(enforce_csrf_checks=True)
    window.force_login(applicant)
    sent = SimpleUploadedFile("approval.pdf", PLAIN)
    assert window.post(place(filler), {"document": sent}).status_code == 403
    assert not Attachment.objects.exists()


@pytest.mark.parametrize("question", ["title", "extra_nothing"])
def test_a_question_that_takes_no_document_has_no_page_for_one(
    filler: FormFiller, question: str
) -> None:
    assert filler.client.get(place(filler, question)).status_code == 404


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "etc passwd.pdf"),
        ("approval.PDF", "approval.pdf"),
        ("倫理審査.pdf", "倫理審査.pdf"),
        ("invoice\u202efdp.exe", "invoice fdp.exe.pdf"),
        ('a"\r\nSet-Cookie: x', "a Set-Cookie x.pdf"),
        ("", "document.pdf"),
    ],
    ids=["path", "case", "han", "override", "header", "empty"],
)
def test_a_name_is_one_that_no_system_reads_as_anything_else(given: str, kept: str) -> None:
    assert services.clean_name(given) == kept


# -- reading --------------------------------------------------------------------------------


@pytest.fixture
def kept(filler: FormFiller) -> Attachment:
    """A document of a submitted application."""
    filler.fill_in()
    send(filler, name="倫理.pdf")
    filler.submit()
    assert filler.application.status == Status.SUBMITTED
    return Attachment.objects.get()


def test_only_its_owner_and_the_readers_of_the_tier_read_it(
    kept: Attachment, applicant: User, reviewer: User, auditor: User, release_owner: User
) -> None:
    elsewhere = factories.staff("elsewhere", Role.REVIEWER, factories.tier("elsewhere"))
    for person in (applicant, reviewer, auditor):
        assert read(person, kept).content == PLAIN
    for person in (factories.person(), elsewhere, release_owner):
        assert read(person, kept).status_code == 404
    address = f"/applications/documents/{kept.public_id}/"
    assert Client().get(address)["Location"].startswith("/accounts/login/")
    told = AuditEvent.objects.about(kept.application).filter(action="application.document_read")
    assert [row.actor_name for row in told] == ["reviewer", "auditor"]


def test_it_comes_as_a_download_that_nothing_keeps_or_runs(
    kept: Attachment, applicant: User
) -> None:
    answer = read(applicant, kept)
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"].startswith("attachment; filename*=utf-8''")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, no-store"


def test_nobody_reads_a_draft_but_its_owner(filler: FormFiller, reviewer: User) -> None:
    send(filler)
    assert read(reviewer, Attachment.objects.get()).status_code == 404


# -- how it ends ----------------------------------------------------------------------------


def remove(window: Client, document: Attachment) -> Any:
    return window.post(f"/applications/documents/{document.public_id}/remove/")


def test_a_document_of_a_draft_is_erased_when_it_is_taken_out(filler: FormFiller) -> None:
    send(filler)
    remove(filler.client, Attachment.objects.get())
    assert not Attachment.objects.exists()
    assert not AttachmentContent.objects.exists()


def test_a_document_that_reviewers_may_have_read_stays_for_them(
    filler: FormFiller, kept: Attachment, reviewer: User, applicant: User
) -> None:
    remove(filler.client, kept)  # submitted: nothing changes
    assert Attachment.objects.get().removed_at is None
    decisions.return_for_changes(
        Application.objects.get(),
        by=reviewer,
        reasons=["incomplete"],
        remarks={"extra_approval": "It has no date."},
    )
    remove(filler.client, kept)
    assert read(applicant, kept).status_code == 404
    assert read(reviewer, kept).content == PLAIN
    assert filler.submit().status_code == 422  # one is demanded


def test_documents_go_with_the_draft_that_lapses(filler: FormFiller) -> None:
    send(filler)
    inactivity.lapse(filler.application)
    assert not AttachmentContent.objects.exists()


def test_another_person_can_neither_send_nor_remove(filler: FormFiller, other_person: User) -> None:
    send(filler)
    window = Client()
    window.force_login(other_person)
    sent = SimpleUploadedFile("x.pdf", OTHER)
    assert window.post(place(filler), {"document": sent}).status_code == 404
    assert remove(window, Attachment.objects.get()).status_code == 404
