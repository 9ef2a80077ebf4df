"""Concurrent requests from two windows of one applicant have one effect and lose no data."""

from typing import Any

import pytest

from accounts.applications import drafts
from accounts.applications.documents import services
from accounts.applications.documents.models import Attachment
from accounts.applications.drafts import ApplicationDraft
from accounts.applications.models import Application
from accounts.applications.models.form import Question
from accounts.applications.transition_table import Status
from accounts.applications.workflow import submission
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import HARMLESS
from tests.support import factories
from tests.support.hurry import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]


@pytest.fixture
def draft(applicant: User, gated_tier: Tier) -> Application:
    Question.objects.create(tier=gated_tier, key="approval", label="Approval", kind="file")
    draft = submission.start(applicant, gated_tier)
    sha256 = factories.in_force(gated_tier).text_sha256
    answers = factories.ANSWERS | {"licence_sha256": sha256}
    submission.save_answers(draft, answers, by=applicant, expected_version=0)
    return draft


def test_three_documents_sent_at_once_are_two(
    draft: Application, applicant: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Three children of very different speed would rarely coincide; the race comes after them.
    monkeypatch.setattr(
        "accounts.applications.documents.pdf_check.require_harmless", lambda content: None
    )

    def send(content: bytes) -> None:
        mine = Application.objects.get(pk=draft.pk)
        services.attach(mine, "extra_approval", "a.pdf", content, by=applicant)

    one, two, three, *_ = HARMLESS.values()
    results = at_once(lambda: send(one), lambda: send(two), lambda: send(three))
    assert results.count("done") == 2
    assert Attachment.objects.count() == 2


def test_a_submission_and_a_save_at_once_never_send_what_was_not_read(
    draft: Application, applicant: User
) -> None:
    def submit() -> None:
        mine = Application.objects.get(pk=draft.pk)
        drafts.submit(mine, by=applicant, expected_version=1)

    def save() -> None:
        form_draft = ApplicationDraft(Application.objects.get(pk=draft.pk), applicant)
        data: dict[str, Any] = {**factories.ANSWERS, "title": "Changed at the same instant"}
        page = form_draft.fingerprint("project")
        drafts.save_step(form_draft, "project", data, fingerprint=page)

    results = at_once(submit, save, submit)
    application = Application.objects.get(pk=draft.pk)
    assert results.count("done") == 1
    if application.status == Status.SUBMITTED:
        snapshot = application.latest_snapshot
        assert snapshot is not None
        assert snapshot.answers["title"] == factories.ANSWERS["title"]
        assert application.snapshots.count() == 1
    else:
        assert application.answers["title"] == "Changed at the same instant"
