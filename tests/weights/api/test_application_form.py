"""A tier's own questions, documents, remarks and copies in the API."""

from typing import Any

import pytest
from django.test import Client

from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.applications.models.form import Question
from accounts.applications.workflow import decisions
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import HARMLESS, HOSTILE
from tests.support import factories
from tests.weights.api.client import ROOT, ApiClient, response_json
from tests.weights.api.test_applications import ANSWERS, save, submission, submit

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

PLAIN = HARMLESS["a blank page"]
EXTRA = {"extra_funding": "A national fund", "extra_hardware": "8 x 80 GB A100"}


@pytest.fixture
def script(applicant: User) -> ApiClient:
    return ApiClient(applicant, "read-gated")


@pytest.fixture
def draft(script: ApiClient, gated_tier: Tier) -> str:
    """The address of a new draft whose form asks for funding, hardware and a document."""
    for key, kind in (("funding", "text"), ("hardware", "hardware"), ("approval", "file")):
        Question.objects.create(tier=gated_tier, key=key, label=key, kind=kind, is_required=True)
    return f"/applications/{script.post('/applications', {'tier': 'opt-175b'}, 201)['id']}"


def send(script: ApiClient, draft: str, content: bytes = PLAIN, **facts: Any) -> Any:
    query = "question=extra_approval&name=approval.pdf"
    kind = facts.pop("kind", "application/pdf")
    return Client().generic(
        "POST",
        f"{ROOT}{draft}/documents?{facts.pop('query', query)}",
        content,
        content_type=kind,
        headers=script.headers,
    )


@pytest.mark.slow
def test_a_tiers_own_questions_are_listed_answered_and_frozen(
    script: ApiClient, draft: str
) -> None:
    begun = script.get(draft)
    assert [one["key"] for one in begun["questions"]] == [
        "extra_funding",
        "extra_hardware",
        "extra_approval",
    ]
    assert {"extra_funding", "extra_approval"} < {one["field"] for one in begun["open_points"]}
    saved = save(script, draft, ANSWERS | EXTRA)
    assert saved["answers"]["extra_hardware"] == "8 x 80 GB A100"
    response_json(send(script, draft), 201)
    submit(script, draft)
    snapshot = Application.objects.get().latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["extra_hardware"] == [{"count": 8, "memory_gb": 80, "kind": "A100"}]
    assert snapshot.answers["extra_approval"][0]["name"] == "approval.pdf"


@pytest.mark.slow
def test_returned_answers_can_be_saved_again(script: ApiClient, draft: str, reviewer: User) -> None:
    save(script, draft, ANSWERS | EXTRA)
    response_json(send(script, draft), 201)
    submit(script, draft)
    decisions.return_for_changes(
        Application.objects.get(),
        by=reviewer,
        reasons=["incomplete"],
        remarks={"extra_funding": "Which one?"},
    )
    returned = script.get(draft)
    again = save(script, draft, returned["answers"], returned["version"])
    assert again["answers"]["extra_hardware"] == "8 x 80 GB A100"
    [remark] = returned["remarks"]
    answered = script.put(f"{draft}/remarks/{remark['number']}", {"answer": "The research council"})
    assert answered["remarks"][0]["answer"] == "The research council"
    assert script.put(f"{draft}/remarks/999999", {"answer": ""}, 404)["code"] == "remark_not_found"
    assert submit(script, draft)["status"] == "submitted"


@pytest.mark.parametrize(
    "rows", [[{"count": 1}], [{"count": 8, "memory_gb": 80, "kind": "A100"}, 5], [[]], 7, True]
)
def test_hardware_of_any_shape_is_saved_in_a_draft_and_validated(
    script: ApiClient, draft: str, rows: Any
) -> None:
    body = {"answers": {"extra_hardware": rows}, "seen_version": 0}
    assert script.send("PUT", f"{draft}/answers", body).status_code in {200, 422}
    assert "extra_hardware" in {one["field"] for one in script.get(draft)["open_points"]}


def test_a_question_that_the_form_does_not_ask_is_an_error(script: ApiClient, draft: str) -> None:
    for key in ("extra_nothing", "extra_approval", "licence_sha256"):
        body = {"answers": {key: "x"}, "seen_version": 0}
        payload = script.put(f"{draft}/answers", body, 422)
        assert payload["errors"][0]["field"] == f"answers.{key}"


def test_a_document_is_sent_listed_read_and_taken_out(script: ApiClient, draft: str) -> None:
    document = response_json(send(script, draft), 201)
    assert script.get(draft)["documents"] == [document]
    place = f"/applications/documents/{document['id']}"
    answer = script.send("GET", place)
    assert (answer.status_code, answer.content) == (200, PLAIN)
    assert answer["Content-Type"] == "application/pdf"
    assert response_json(script.send("DELETE", place), 200) == document
    assert script.get(place, 404)["code"] == "document_not_found"
    assert not Attachment.objects.exists()


def test_invalid_documents_are_refused(script: ApiClient, draft: str) -> None:
    hostile = HOSTILE["a script on opening"][1]
    large = b"%PDF-" + bytes(11 * 2**20)
    for answer, status, code in (
        (send(script, draft, hostile), 422, "invalid_value"),
        (send(script, draft, large), 413, "body_too_large"),
        (send(script, draft, kind="application/json"), 415, "unsupported_media_type"),
        (send(script, draft, query="question=title"), 422, "invalid_value"),
        (send(script, draft, query="name=x.pdf"), 422, "invalid_request"),
    ):
        assert response_json(answer, status)["code"] == code


@pytest.mark.requirement("WB-8")
def test_documents_of_others_do_not_exist(script: ApiClient, draft: str, reviewer: User) -> None:
    document = response_json(send(script, draft), 201)
    other = ApiClient(factories.person(), "read-gated")
    assert other.get(f"/applications/documents/{document['id']}", 404)
    assert response_json(send(other, draft), 404)["code"] == "application_not_found"
    # Staff read it on the review page, where that is recorded; a token gives no access.
    assert ApiClient(reviewer, "read-gated", "admin").get(
        f"/applications/documents/{document['id']}", 404
    )


@pytest.mark.slow
def test_an_ended_application_is_copied_as_a_new_draft(script: ApiClient, gated_tier: Tier) -> None:
    draft = f"/applications/{script.post('/applications', {'tier': 'opt-175b'}, 201)['id']}"
    save(script, draft)
    script.post(f"{draft}/submit", submission(script, draft))
    assert script.post(f"{draft}/copy", status=409)["code"] == "bad_transition"
    assert script.post(f"{draft}/withdraw")["moves"] == ["copy"]
    copy = script.post(f"{draft}/copy", status=201)
    assert copy["status"] == "draft"
    assert copy["answers"] == {**ANSWERS, "noncommercial": True}


def test_a_draft_adopts_the_questions_of_today_and_loses_nothing(
    script: ApiClient, draft: str, gated_tier: Tier
) -> None:
    save(script, draft, ANSWERS | EXTRA)
    gated_tier.questions.filter(key="funding").update(is_asked=False)
    adopted = script.post(f"{draft}/adopt")
    assert [one["key"] for one in adopted["questions"]] == ["extra_hardware", "extra_approval"]
    assert adopted["answers"]["extra_funding"] == "A national fund"
