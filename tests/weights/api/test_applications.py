"""My applications and my grants in the API."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.applications.models import Application
from accounts.applications.questions import LABELS
from accounts.applications.workflow import appeals, claims, decisions, undo_window
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ROOT, ApiClient, response_json
from weights.api.schemas.applications import Answers

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ANSWERS = {key: value for key, value in factories.ANSWERS.items() if key != "licence_accept"} | {
    "commercial": "no"
}


@pytest.fixture
def script(applicant: User) -> ApiClient:
    return ApiClient(applicant, "read-gated")


@pytest.fixture
def draft(script: ApiClient, gated_tier: Tier) -> str:
    """The address of a new draft."""
    response = script.send("POST", "/applications", {"tier": gated_tier.slug})
    assert response.status_code == 201, response.content
    return str(urlsplit(response["Location"]).path.removeprefix(ROOT))


def save(script: ApiClient, draft: str, answers: Any = ANSWERS, version: int = 0) -> Any:
    return script.put(f"{draft}/answers", {"answers": answers, "seen_version": version})


def submission(script: ApiClient, draft: str, **facts: Any) -> dict[str, Any]:
    now = script.get(draft)
    sent = {
        "licence_accept": True,
        "licence_sha256": now["terms"]["text_sha256"],
        "seen_version": now["version"],
    }
    return sent | facts


def submit(script: ApiClient, draft: str, status: int = 200, **facts: Any) -> Any:
    return script.post(f"{draft}/submit", submission(script, draft, **facts), status)


def test_the_schema_has_every_question_of_the_form() -> None:
    assert set(Answers.model_fields) == set(LABELS) - {"licence_accept"}


@pytest.mark.slow
def test_an_application_goes_from_draft_to_review(
    script: ApiClient, draft: str, reviewer: User
) -> None:
    begun = script.get(draft)
    assert (begun["status"], begun["moves"], begun["version"]) == ("draft", ["save", "submit"], 0)
    assert {point["field"] for point in begun["open_points"]} > {"abstract", "country"}
    saved = save(script, draft)
    assert (saved["version"], saved["open_points"]) == (1, [])
    sent = submit(script, draft)
    assert (sent["status"], sent["moves"]) == ("submitted", ["withdraw"])
    assert sent["answer_expected_by"]
    application = Application.objects.get(public_id=sent["id"])
    snapshot = application.latest_snapshot
    assert snapshot is not None
    assert snapshot.answers["title"] == ANSWERS["title"]
    claims.claim(application, by=reviewer)
    decisions.approve(application, by=reviewer, confirmed=True)
    approved = script.get(draft)
    assert (approved["status"], approved["decisions"][0]["verdict"]) == ("approved", "approve")
    assert [one["tier"] for one in script.get("/applications")] == [approved["tier"]]
    assert script.get("/grants")[0]["live"]


@pytest.mark.slow
def test_a_returned_application_shows_why_and_is_resubmitted(
    script: ApiClient, draft: str, reviewer: User
) -> None:
    save(script, draft)
    application = Application.objects.get(public_id=submit(script, draft)["id"])
    claims.claim(application, by=reviewer)
    decisions.return_for_changes(
        application,
        by=reviewer,
        reasons=["purpose_unclear"],
        note="Which question do you ask?",
        remarks={"abstract": "Name it."},
    )
    returned = script.get(draft)
    assert returned["moves"] == ["save", "submit"]
    assert returned["decisions"][0]["note"] == "Which question do you ask?"
    assert returned["decisions"][0]["reasons"][0]["code"] == "purpose_unclear"
    assert "reviewer" not in str(returned["decisions"])
    save(script, draft, ANSWERS | {"title": "Outliers, and only those"}, returned["version"])
    assert submit(script, draft)["status"] == "submitted"


def test_starting_twice_opens_the_same_draft(
    script: ApiClient, draft: str, gated_tier: Tier
) -> None:
    again = script.post("/applications", {"tier": gated_tier.slug}, 201)
    assert draft.endswith(again["id"])
    assert Application.objects.count() == 1


def test_answers_are_validated_as_on_the_page(script: ApiClient, draft: str) -> None:
    wrong = ANSWERS | {"work_email": "x@elsewhere.org", "country": "XX", "abstract": "Short."}
    assert save(script, draft, wrong)["version"] == 1  # a draft stores anything
    refused = submit(script, draft, 422)
    assert refused["code"] == "invalid_answers"
    assert {fault["field"] for fault in refused["errors"]} == {"work_email", "country", "abstract"}
    assert script.get(draft)["status"] == "draft"


def test_the_licence_is_accepted_by_the_text_that_was_read(script: ApiClient, draft: str) -> None:
    save(script, draft)
    for facts in ({"licence_accept": False}, {"licence_sha256": "0" * 64}):
        refused = submit(script, draft, 422, **facts)
        assert [fault["field"] for fault in refused["errors"]] == ["licence_accept"]


def test_two_windows_do_not_overwrite_each_other(script: ApiClient, draft: str) -> None:
    save(script, draft)
    body = {"answers": {"title": "Older"}, "seen_version": 0}
    assert script.put(f"{draft}/answers", body, 409)["code"] == "bad_transition"
    assert submit(script, draft, 409, seen_version=0)["code"] == "bad_transition"
    assert script.get(draft)["answers"]["title"] == ANSWERS["title"]


def test_a_submitted_application_changes_only_by_withdrawal(script: ApiClient, draft: str) -> None:
    save(script, draft)
    submit(script, draft)
    body = {"answers": ANSWERS, "seen_version": 2}
    assert script.put(f"{draft}/answers", body, 409)["code"] == "bad_transition"
    assert submit(script, draft, 409)["code"] == "bad_transition"
    assert script.post(f"{draft}/withdraw", {"reason": "Moved on"})["status"] == "withdrawn"
    assert script.post(f"{draft}/withdraw", status=409)["code"] == "bad_transition"


def test_an_unknown_question_is_an_error(script: ApiClient, draft: str) -> None:
    for answers in ({"licence_accept": True}, {"nickname": "Ada"}, {"title": 5}):
        body = {"answers": answers, "seen_version": 0}
        payload = script.put(f"{draft}/answers", body, 422)
        assert payload["errors"][0]["field"].startswith("answers.")


@pytest.mark.requirement("WB-8")
def test_applications_of_others_do_not_exist(draft: str, other_person: User) -> None:
    other = ApiClient(other_person, "read-gated", "write", "admin")
    assert other.get("/applications") == []
    assert other.get("/grants") == []
    assert other.get(draft, 404)["code"] == "application_not_found"
    body = {"answers": {}, "seen_version": 0}
    assert other.put(f"{draft}/answers", body, 404)["code"] == "application_not_found"
    assert other.post(f"{draft}/withdraw", status=404)["code"] == "application_not_found"


@pytest.mark.requirement("TK-3")
def test_a_token_for_open_or_named_checkpoints_does_not_act_for_its_owner(
    draft: str, applicant: User, gated_tier: Tier
) -> None:
    held = factories.grant(applicant, gated_tier)
    for script in (
        ApiClient(applicant),
        ApiClient(applicant, "write", "admin"),
        ApiClient(applicant, "read-gated", repositories=["acme/gated"]),
    ):
        assert len(script.get("/grants")) == 1
        for refused in (
            script.get("/applications", 403),
            script.get(draft, 403),
            script.put(f"{draft}/answers", {"answers": {}, "seen_version": 0}, 403),
            script.post(f"{draft}/submit", {}, 403),
            script.post(f"{draft}/withdraw", status=403),
            script.post("/grants", {"tier": gated_tier.slug, "licence_sha256": "0" * 64}, 403),
            script.post(f"/grants/{held.public_id}/surrender", status=403),
        ):
            assert refused["code"] == "token_scope"
    assert Grant.objects.live().filter(pk=held.pk).exists()


def test_strangers_have_neither_applications_nor_grants(draft: str, gated_tier: Tier) -> None:
    for path in ("/applications", "/grants", draft):
        assert ApiClient().get(path, 401)["code"] == "login_required"
    body = {"tier": gated_tier.slug}
    assert ApiClient().post("/applications", body, 401)["code"] == "login_required"


def test_a_session_does_not_authenticate(draft: str, applicant: User, client: Any) -> None:
    client.force_login(applicant)
    for method in (client.get, client.post):
        assert method(f"{ROOT}/applications").status_code == 401


def test_holders_and_unconfirmed_users_cannot_apply(
    applicant: User, script: ApiClient, gated_tier: Tier, open_tier: Tier
) -> None:
    begin = script.post
    assert begin("/applications", {"tier": "none"}, 404)["code"] == "tier_not_found"
    assert begin("/applications", {"tier": open_tier.slug}, 422)["code"] == "invalid_value"
    factories.grant(applicant, gated_tier)
    assert begin("/applications", {"tier": gated_tier.slug}, 409)["code"] == "already_held"
    unconfirmed = ApiClient(factories.person(confirmed=False), "read-gated")
    payload = unconfirmed.post("/applications", {"tier": gated_tier.slug}, 403)
    assert payload["code"] == "not_allowed"


@pytest.mark.slow
@pytest.mark.requirement("AC-4")
def test_three_applications_a_day_are_enough(script: ApiClient, applicant: User) -> None:
    drafts: list[str] = []
    for _ in range(4):
        if len(drafts) == 3:
            submit(script, drafts[0])
        begun = script.post("/applications", {"tier": factories.tier().slug}, 201)
        drafts.append(f"/applications/{begun['id']}")
        save(script, drafts[-1])
    crowded = script.send("POST", "/applications", {"tier": factories.tier().slug})
    assert response_json(crowded, 409)["code"] == "limit_reached"
    assert "Retry-After" not in crowded  # waiting does not help; finishing one does
    submit(script, drafts[1])
    submit(script, drafts[2])
    late = script.send("POST", f"{drafts[3]}/submit", submission(script, drafts[3]))
    assert response_json(late, 429)["code"] == "limit_reached"
    assert 23 * 3600 < int(late["Retry-After"]) <= 24 * 3600
    assert script.get(drafts[3])["status"] == "draft"


def test_grants_show_whether_they_are_live(
    applicant: User, script: ApiClient, gated_tier: Tier, django_assert_num_queries: Any
) -> None:
    factories.expired_grant(applicant, gated_tier)
    for _ in range(3):
        factories.grant(applicant, factories.tier())
    script.get("/links")  # the token's use is noted once a minute
    with django_assert_num_queries(3):
        mine = script.get("/grants")
    assert [grant["live"] for grant in mine] == [True, True, True, False]
    assert mine[-1]["tier"]["slug"] == gated_tier.slug
    assert not mine[-1]["licence_outdated"]


@pytest.mark.slow
def test_a_rejection_is_appealed_once_and_copied_after_the_waiting_days(
    script: ApiClient, draft: str, reviewer: User, settings: Settings
) -> None:
    Tier.objects.update(reapply_days=14)
    save(script, draft)
    application = Application.objects.get(public_id=submit(script, draft)["id"])
    settings.DECISION_UNDO_SECONDS = 60
    note = "The plan does not say who can read the weights."
    decisions.reject(application, by=reviewer, reasons=["plan_insufficient"], note=note)
    waiting = script.get(draft)
    assert (waiting["status"], waiting["decisions"]) == ("in_review", [])
    assert note not in str(waiting)
    undo_window.finish(application.pk, now=timezone.now() + timedelta(minutes=2))

    rejected = script.get(draft)
    assert (rejected["status"], rejected["moves"]) == ("rejected", ["copy", "appeal"])
    refused = script.post(f"{draft}/copy", None, 429)
    assert f"{rejected['reapply_from'][:4]} " in refused["detail"]
    short = script.post(f"{draft}/appeal", {"text": "No."}, 422)
    assert short["code"] == "invalid_value"
    text = "The plan names both people and the day of deletion; please read it again. " * 2
    appeal = script.post(f"{draft}/appeal", {"text": text}, 201)
    assert (appeal["kind"], appeal["predecessor"]) == ("appeal", rejected["id"])
    assert (appeal["status"], appeal["appeal_text"]) == ("submitted", text.strip())
    assert script.post(f"{draft}/appeal", {"text": text}, 409)["code"] == "already_held"
    assert script.get(draft)["appeal_until"] is None
    assert [one["kind"] for one in script.get("/applications")] == ["appeal", "new"]
    stranger = ApiClient(factories.person(), "read-gated")
    assert stranger.post(f"{draft}/appeal", {"text": text}, 404)["code"]


def test_the_list_of_applications_takes_no_query_for_each(
    script: ApiClient, applicant: User, reviewer: User
) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            script.get("/applications")
        return len(captured)

    def reject_and_appeal() -> None:
        one = factories.submitted(applicant, factories.tier())
        note = "The plan does not say who can read the weights."
        decisions.reject(one, by=reviewer, reasons=["plan_insufficient"], note=note)
        appeals.appeal(one, "It is research. " * 10, by=applicant)

    reject_and_appeal()
    queries()  # the first use of the token is recorded
    few = queries()
    reject_and_appeal()
    assert queries() == few
