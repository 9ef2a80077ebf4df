"""Custom questions in the admin: release owners edit them, drafts keep their form version."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.applications.forms.hardware import HardwareField
from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion, Question
from accounts.applications.question_presets import PRESETS
from accounts.applications.services import may_adopt
from accounts.audit.models import AuditEvent
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.form_filler import FormFiller
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


@pytest.fixture
def owner(client: Client, release_owner: User) -> Client:
    client.force_login(release_owner)
    return client


def page_of(tier: Tier) -> str:
    return reverse("admin:accounts_tier_change", args=[tier.pk])


def presets_url(tier: Tier) -> str:
    return reverse("admin:accounts_tier_ready_made", args=[tier.pk])


def post_data(tier: Tier, *questions: dict[str, Any]) -> dict[str, Any]:
    """Return the POST data of the tier's page with these questions, existing ones first."""
    fields = {
        "name": tier.name,
        "mode": tier.mode,
        "licence": tier.licence_id,
        "approvals_needed": 1,
        "reapply_days": 0,
        "term_days": 365,
        "file_link_minutes": 15,
        "checkpoint_link_hours": 168,
        "questions-TOTAL_FORMS": len(questions),
        "questions-INITIAL_FORMS": tier.questions.count(),
    }
    usual = {"kind": "text", "step": "project", "position": 1, "is_asked": "on"}
    for number, question in enumerate(questions):
        whole = {**usual, "tier": tier.pk, **question}
        fields |= {f"questions-{number}-{name}": value for name, value in whole.items()}
    return fields


def test_the_owner_adds_the_ready_made_questions_with_one_press(
    owner: Client, gated_tier: Tier
) -> None:
    assert presets_url(gated_tier) in owner.get(page_of(gated_tier)).text
    keys = [one["key"] for one in PRESETS]
    assert owner.post(presets_url(gated_tier), {"keys": keys}).status_code == 302
    assert list(gated_tier.questions.values_list("key", flat=True)) == keys
    for question in gated_tier.questions.all():
        question.full_clean()
    assert "This tier already has all of them" in owner.get(presets_url(gated_tier)).text
    event = AuditEvent.objects.about(gated_tier).get(action="tier.questions_changed")
    assert event.details == {"keys": sorted(keys)}


def test_the_owner_rewords_a_question_and_the_key_stays(owner: Client, gated_tier: Tier) -> None:
    question = {"key": "funding", "label": "Who pays?"}
    assert owner.post(page_of(gated_tier), post_data(gated_tier, question)).status_code == 302
    question_row = gated_tier.questions.get()
    again = {"id": question_row.pk, "key": "other", "label": "Who funds it?"}
    assert owner.post(page_of(gated_tier), post_data(gated_tier, again)).status_code == 302
    question_row.refresh_from_db()
    assert (question_row.key, question_row.label) == ("funding", "Who funds it?")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "select"}, "at least one choice"),
        ({"shown_if_key": "nothing", "shown_if_value": "x"}, "There is no question nothing"),
        ({"shown_if_key": "commercial"}, "Enter the value that it depends on"),
        ({"shown_if_key": "mine", "shown_if_value": "x"}, "cannot depend on itself"),
    ],
    ids=["no choices", "no such question", "no value", "itself"],
)
def test_a_question_that_nobody_could_answer_is_refused(
    owner: Client, gated_tier: Tier, fields: dict[str, Any], message: str
) -> None:
    response = owner.post(
        page_of(gated_tier), post_data(gated_tier, {"key": "mine", "label": "?"} | fields)
    )
    assert message in response.text
    assert not Question.objects.exists()


def test_reviewers_add_no_questions(client: Client, reviewer: User, gated_tier: Tier) -> None:
    client.force_login(reviewer)
    assert client.post(presets_url(gated_tier), {"keys": ["funding"]}).status_code == 403
    client.post(
        page_of(gated_tier), post_data(gated_tier, {"key": "funding", "label": "Who pays?"})
    )
    assert not Question.objects.exists()


# -- drafts keep their questions ------------------------------------------------------------


def ask(tier: Tier, key: str, **fields: Any) -> Question:
    return Question.objects.create(tier=tier, key=key, label=f"What of {key}?", **fields)


@pytest.mark.slow
def test_a_draft_keeps_its_questions_and_is_offered_the_new_ones_after_thirty_days(
    client: Client, gated_tier: Tier, applicant: User
) -> None:
    client.force_login(applicant)
    ask(gated_tier, "funding")
    filler = FormFiller(client, gated_tier, applicant)
    filler.fill_in(extra_funding="A national fund")
    gated_tier.questions.update(is_asked=False)
    ask(gated_tier, "outputs", is_required=True)
    assert "What of outputs?" not in filler.page("project")
    assert not may_adopt(filler.application)
    with time_machine.travel(timezone.now() + timedelta(days=31), tick=False):
        client.force_login(applicant)
        assert "Switch to the new questions" in filler.page("project")
        client.post(f"/applications/{filler.application.public_id}/adopt/")
        assert "What of outputs?" in filler.page("project")
        review = filler.page("review")
        assert "Saved, but not sent" in review
        assert "A national fund" in review
        assert not may_adopt(filler.application)


def test_only_a_draft_adopts_questions(
    client: Client, gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    client.force_login(applicant)
    application = factories.returned(applicant, gated_tier, reviewer)
    ask(gated_tier, "outputs")
    client.post(f"/applications/{application.public_id}/adopt/")
    assert Application.objects.get().form == FormVersion.objects.get()


# -- conditions, on the server alone --------------------------------------------------------


@pytest.mark.slow
def test_a_question_whose_condition_is_not_met_is_neither_demanded_nor_sent(
    client: Client, gated_tier: Tier, applicant: User
) -> None:
    client.force_login(applicant)
    ask(gated_tier, "ethics", kind="select", choices="Pending\nApproved", position=1)
    ask(
        gated_tier,
        "number",
        shown_if_key="ethics",
        shown_if_value="Approved",
        is_required=True,
        position=2,
    )
    filler = FormFiller(client, gated_tier, applicant)
    filler.fill_in(extra_ethics="Approved", extra_number=None)
    assert 'data-shown-if="extra_ethics"' in filler.page("project")
    assert "What of number?" in filler.submit().text
    filler.save("project", extra_ethics="Pending", extra_number="typed before")
    assert "no longer applies and is not sent" not in filler.page("you")
    filler.submit()
    snapshot = filler.application.latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["extra_ethics"] == "Pending"
    assert "extra_number" not in snapshot.answers


ANSWERED: list[tuple[str, str, Any, Any]] = [
    ("number", "12.5", 12.5, "wide"),
    ("date", "2027-03-31", "2027-03-31", "31.3.2027"),
    ("country", "NO", "NO", "XX"),
    ("url", "https://example.org/", "https://example.org/", "javascript:x"),
    ("tick", "on", True, ""),
    ("hardware", "8 × 80GB A100", [{"count": 8, "memory_gb": 80, "kind": "A100"}], "some GPUs"),
    ("long_text", "More.\nAnd more.", "More.\nAnd more.", "x" * 5001),
]


@pytest.mark.parametrize(
    ("line", "count", "memory", "kind"),
    [
        ("8 x 80 GB A100", 8, 80, "A100"),
        ("A100 80GB x 8", 8, 80, "A100"),
        ("A100x8 80G", 8, 80, "A100"),
        ("8x H100 (80 GiB)", 8, 80, "H100"),
        ("4 RTX 4090 24GB", 4, 24, "RTX 4090"),
        ("RTX 4090, 24 GB", 1, 24, "RTX 4090"),
        ("RTX 4090 x 2, 24 GB", 2, 24, "RTX 4090"),
        ("2x4090 24GB", 2, 24, "4090"),
        ("DGX H100 8x80GB", 8, 80, "DGX H100"),
        ("16*A100-80GB", 16, 80, "A100"),
        ("8 x 80 GB A100 (2 nodes)", 8, 80, "A100 (2 nodes)"),
    ],
)
def test_hardware_is_read_as_people_write_it(line: str, count: int, memory: int, kind: str) -> None:
    (row,) = HardwareField().clean(line)
    assert row == {"count": count, "memory_gb": memory, "kind": kind}


@pytest.mark.parametrize("line", ["some GPUs", "80 GB", "8 x 80 GB", "0 x 80 GB A100", "8 x A100"])
def test_hardware_without_memory_or_kind_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        HardwareField().clean(line)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "typed", "frozen", "wrong"), ANSWERED, ids=[a[0] for a in ANSWERED]
)
def test_each_kind_is_saved_as_typed_validated_on_submission_and_frozen_as_its_value(
    client: Client,
    gated_tier: Tier,
    applicant: User,
    kind: str,
    typed: str,
    frozen: Any,
    wrong: str,
) -> None:
    client.force_login(applicant)
    ask(gated_tier, "it", kind=kind, is_required=True)
    filler = FormFiller(client, gated_tier, applicant)
    filler.store_draft(extra_it=wrong or None)
    assert filler.submit().status_code == 422
    filler.save("project", extra_it=typed)
    filler.submit()
    snapshot = filler.application.latest_snapshot
    assert snapshot is not None, filler.page("review")
    assert snapshot.answers["extra_it"] == frozen
    assert client.get(f"/applications/{filler.application.public_id}/").status_code == 200


@pytest.mark.slow
def test_several_choices_are_stored_together(
    client: Client, gated_tier: Tier, applicant: User
) -> None:
    client.force_login(applicant)
    ask(gated_tier, "outputs", kind="multi_select", choices="Paper\nSoftware\nThesis")
    filler = FormFiller(client, gated_tier, applicant)
    filler.store_draft(extra_outputs=["Paper", "A film"])
    assert "A film" in filler.submit().text
    filler.save("project", extra_outputs=["Paper", "Thesis"])
    filler.submit()
    page = client.get(f"/applications/{filler.application.public_id}/").text
    assert "Paper, Thesis" in page
