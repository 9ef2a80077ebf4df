"""The review page's buttons: their effects, and that the mail equals its preview."""

from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.applications.documents import services
from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation, decisions, submission
from accounts.mail.models import OutgoingMail
from accounts.review.models import Decision, ReasonText
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.accounts.applications.documents.pdfs import HARMLESS
from tests.accounts.review.desk.addresses import button_of, page_of
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NOTE = "The plan names <no> reader & no end: 计划 لم يذكر أحدا."
POST_DATA: dict[str, dict[str, Any]] = {
    "approve": {"days": "100", "note": NOTE, "confirmed": "on"},
    "return": {
        "return_reasons": ["purpose_unclear", "other"],
        "note": NOTE + " Write to us when anything in this is not clear.",
        "remark_abstract": "Which method?\r\nWhich data?",
        "remark_storage_plan": "  Until when?  ",
    },
    "reject": {"reject_reasons": ["spam", "commercial_use"], "note": f"  {NOTE}  "},
}
KINDS = {"approve": "approved", "return": "returned", "reject": "rejected"}
JSON = {"Accept": "application/json"}


def preview_of(application: Application, verdict: str) -> str:
    return reverse("admin:accounts_application_preview", args=[application.pk, verdict])


def press(client: Client, application: Application, action: str, **data: Any) -> Any:
    """Post a button's own form, whose fields carry its name."""
    fields = {f"{action}-{name}": value for name, value in data.items()}
    return client.post(button_of(application, action), fields, follow=True)


# -- the mail is the one that was read ----------------------------------------------------


@pytest.mark.parametrize("verdict", list(POST_DATA))
def test_the_mail_is_the_one_previewed(
    verdict: str, desk: Client, application: Application
) -> None:
    ReasonText.objects.create(code="spam", label="No research here", remedy="Ask a colleague.")
    shown = desk.post(preview_of(application, verdict), POST_DATA[verdict], headers=JSON).json()
    assert shown["missing"] == []
    assert not OutgoingMail.objects.filter(kind=f"application_{KINDS[verdict]}").exists()
    data = POST_DATA[verdict] | {"seen": shown["seen"]}
    assert desk.post(button_of(application, verdict), data).status_code == 302
    mail = OutgoingMail.objects.get(kind=f"application_{KINDS[verdict]}")
    assert (mail.subject, mail.text, [mail.to]) == (shown["subject"], shown["text"], shown["to"])
    assert NOTE in mail.text


def test_a_first_approval_previews_the_mail_to_other_reviewers(
    desk: Client, applicant: User, lead_reviewer: User
) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    shown = desk.post(preview_of(application, "approve"), {"days": "9"}, headers=JSON).json()
    desk.post(
        button_of(application, "approve"), {"days": "9", "confirmed": "on", "seen": shown["seen"]}
    )
    mail = OutgoingMail.objects.get(kind="second_approval_wanted")
    assert (mail.subject, mail.text, [mail.to]) == (shown["subject"], shown["text"], shown["to"])
    assert mail.recipient == lead_reviewer


def test_a_first_approval_warns_if_nobody_could_make_the_second(
    desk: Client, applicant: User
) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    shown = desk.post(preview_of(application, "approve"), {"days": "9"}, headers=JSON).json()
    assert shown["missing"] == ["No other reviewer of this tier could give the second approval."]


def test_without_scripts_the_preview_is_a_page_that_keeps_what_was_typed(
    desk: Client, application: Application
) -> None:
    shown = desk.post(preview_of(application, "return"), POST_DATA["return"])
    assert shown.status_code == 200
    assert "Changes requested" in shown.text
    assert "Which method?" in shown.text
    assert shown.context["preview"]["seen"] in shown.text
    application.refresh_from_db()
    assert application.status == "submitted"


def test_a_preview_tells_what_is_missing_and_shows_the_rest(
    desk: Client, application: Application
) -> None:
    shown = desk.post(preview_of(application, "reject"), {"note": "short"}, headers=JSON).json()
    assert shown["missing"] == [
        "The note to the applicant needs at least 20 characters.",
        "Choose at least one reason.",
    ]
    assert "was not approved" in shown["text"]


@pytest.mark.slow
def test_text_that_changed_since_the_preview_stops_the_decision(
    desk: Client, application: Application
) -> None:
    shown = desk.post(preview_of(application, "reject"), POST_DATA["reject"], headers=JSON).json()
    ReasonText.objects.create(code="spam", label="Other words", remedy="Ask a colleague.")
    data = POST_DATA["reject"] | {"seen": shown["seen"]}
    stopped = desk.post(button_of(application, "reject"), data)
    assert "mail has changed since you previewed it" in stopped.text
    assert "Other words" in stopped.context["preview"]["text"]
    application.refresh_from_db()
    assert application.status == "submitted"
    data["seen"] = stopped.context["preview"]["seen"]
    assert desk.post(button_of(application, "reject"), data).status_code == 302


@pytest.mark.slow
def test_a_preview_from_before_midnight_is_no_preview_of_today(
    desk: Client, application: Application, reviewer: User
) -> None:
    with time_machine.travel("2031-01-30 23:59:30+00:00", tick=False):
        desk.force_login(reviewer)
        shown = desk.post(preview_of(application, "approve"), {"days": "30"}, headers=JSON).json()
    assert shown["until"] == "1 March 2031"
    desk.force_login(reviewer)
    data = {"days": "30", "seen": shown["seen"]}
    assert (
        "mail has changed since you previewed it"
        in desk.post(button_of(application, "approve"), data).text
    )


# -- the record of the decision -------------------------------------------------------------


def test_the_checklist_and_both_notes_stay_with_the_decision(
    desk: Client, application: Application
) -> None:
    checks = {"check_identity": "yes", "check_storage": "no", "check_deletion": "unknown"}
    data = POST_DATA["return"] | checks | {"internal_note": "ask again in a week"}
    desk.post(button_of(application, "return"), data)
    decision = Decision.objects.get()
    assert decision.checklist == {"identity": "yes", "storage": "no", "deletion": "unknown"}
    assert decision.internal_note == "ask again in a week"
    assert {one.field: one.text for one in decision.remarks.all()} == {
        "abstract": "Which method?\r\nWhich data?",
        "storage_plan": "Until when?",
    }


def test_a_return_without_a_remark_keeps_what_was_typed(
    desk: Client, application: Application
) -> None:
    data = {"return_reasons": ["incomplete"], "note": "kept words", "check_identity": "no"}
    again = desk.post(button_of(application, "return"), data)
    assert "Write beside an answer what should change." in again.text
    assert "kept words" in again.text
    assert 'value="incomplete" checked' in again.text
    box = 'id="id_check_identity_1" value="no" aria-label="No" checked'
    assert box in " ".join(again.text.split())


@pytest.mark.parametrize(
    ("reason", "wanted"),
    [("other", "at least 60 characters"), ("duplicate", "Name the other application")],
)
def test_the_page_says_what_a_reason_requires_of_the_note(
    reason: str, wanted: str, desk: Client, application: Application
) -> None:
    data = {"reject_reasons": [reason], "note": "This is not what we need here."}
    shown = desk.post(preview_of(application, "reject"), data, headers=JSON).json()
    assert wanted in shown["missing"][0]
    assert wanted in desk.post(button_of(application, "reject"), data).text
    application.refresh_from_db()
    assert application.status == "submitted"


@pytest.mark.slow
def test_after_a_decision_the_next_oldest_unclaimed_opens(
    desk: Client, application: Application, gated_tier: Tier
) -> None:
    following = factories.submitted(factories.person(), gated_tier)
    done = desk.post(button_of(application, "approve"), POST_DATA["approve"], follow=True)
    assert done.redirect_chain == [(page_of(following), 302)]
    done = desk.post(button_of(following, "approve"), POST_DATA["approve"], follow=True)
    assert done.redirect_chain == [(reverse("admin:accounts_application_changelist"), 302)]
    assert "Nothing else waits for you." in done.text


@pytest.mark.slow
def test_the_reviewers_own_applications_follow_the_unclaimed_ones(
    desk: Client, application: Application, gated_tier: Tier, reviewer: User
) -> None:
    claims.claim(factories.submitted(factories.person(), gated_tier), by=reviewer)
    done = desk.post(button_of(application, "approve"), POST_DATA["approve"], follow=True)
    assert "Nothing else is unclaimed; on your own desk: 1." in done.text
    assert done.redirect_chain[0][0].endswith("?desk=mine")


# -- two reviewers ----------------------------------------------------------------------


@pytest.mark.slow
def test_the_second_reviewer_sees_who_approved_and_keeps_the_term(
    desk: Client, applicant: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two", approvals_needed=2)
    application = factories.submitted(applicant, tier)
    assert "Yours would be the first" in desk.get(page_of(application)).text
    desk.post(button_of(application, "approve"), {"days": "100", "confirmed": "on"})
    mine = desk.get(page_of(application)).text
    assert "another reviewer" in " ".join(mine.split())
    assert 'value="approve"' not in mine
    desk.force_login(lead_reviewer)
    theirs = desk.get(page_of(application))
    assert "<strong>reviewer</strong> approved on" in theirs.text
    assert "a second reviewer, who may be you" in theirs.text
    assert theirs.context["forms"]["approve"]["days"].value() == 100
    assert [one.name for one in theirs.context["verdicts"]] == ["approve", "reject"]
    desk.post(button_of(application, "approve"), {"days": "100", "confirmed": "on"})
    application.refresh_from_db()
    assert application.status == "approved"


def test_the_second_approvals_mail_holds_both_notes_as_previewed(
    desk: Client, applicant: User, lead_reviewer: User
) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    desk.post(
        button_of(application, "approve"),
        {"days": "9", "confirmed": "on", "note": "The first note."},
    )
    desk.force_login(lead_reviewer)
    data = {"days": "9", "confirmed": "on", "note": "The second note."}
    shown = desk.post(preview_of(application, "approve"), data, headers=JSON).json()
    assert "The first note.\n\nThe second note." in shown["text"]
    desk.post(button_of(application, "approve"), {**data, "seen": shown["seen"]})
    assert OutgoingMail.objects.get(kind="application_approved").text == shown["text"]


def test_a_reviewer_with_a_conflict_can_read_but_has_no_buttons(
    desk: Client, application: Application
) -> None:
    press(desk, application, "conflict", reason="we share a grant")
    shown = desk.get(page_of(application))
    assert "you declared a conflict" in shown.text
    assert shown.context["verdicts"] == []
    assert 'id="decide"' not in shown.text


# -- talk -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_consulted_colleague_answers_on_the_page_and_the_answer_stays_readable(
    desk: Client, application: Application, lead_reviewer: User, reviewer: User
) -> None:
    press(desk, application, "ask", colleague=lead_reviewer.pk, question="Do you know <them>?")
    application.refresh_from_db()
    assert application.claimed_by == reviewer  # asking begins the review
    question = application.consultations.get()
    desk.force_login(lead_reviewer)
    assert "Do you know &lt;them&gt;?" in desk.get(page_of(application)).text
    press(desk, application, "answer", consultation=question.pk, text="Yes, for years.")
    assert "Yes, for years." in desk.get(page_of(application)).text
    again = press(desk, application, "answer", consultation=question.pk, text="No.")
    assert "You have already answered it" in again.text


@pytest.mark.slow
def test_nobody_asks_the_applicant_or_who_has_no_role(
    desk: Client, gated_tier: Tier, other_person: User
) -> None:
    own = factories.submitted(factories.staff("applying", Role.REVIEWER), gated_tier)
    for person in (own.applicant, other_person):
        shown = press(desk, own, "ask", colleague=person.pk, question="Is it good?")
        assert "Select a valid choice" in shown.text
    assert not own.consultations.exists()


@pytest.mark.slow
def test_remarks_stand_at_their_answer_and_are_ticked_off(
    desk: Client, application: Application
) -> None:
    press(desk, application, "remark", field="abstract", text="Which data?", public="on")
    press(desk, application, "remark", field="", text="Seen at a workshop.")
    remark = application.remarks.get(is_public=True)
    assert OutgoingMail.objects.filter(kind="remark_made").count() == 1
    shown = desk.get(page_of(application))
    abstract = next(one for one in shown.context["answers"] if one.key == "abstract")
    assert abstract.remarks == [remark]
    assert "Seen at a workshop." in shown.text
    press(desk, application, "settle", remark=remark.pk, done="on")
    remark.refresh_from_db()
    assert remark.settled_at is not None


def test_a_remark_of_another_application_is_not_ticked_off(
    desk: Client, application: Application, gated_tier: Tier, reviewer: User
) -> None:
    other = factories.submitted(factories.person(), gated_tier)
    remark = conversation.remark(other, "Which data?", by=reviewer, public=True)
    shown = press(desk, application, "settle", remark=remark.pk, done="on")
    assert "There is no such remark" in shown.text
    remark.refresh_from_db()
    assert remark.settled_at is None


@pytest.mark.slow
def test_a_lead_puts_it_on_anothers_desk_and_only_a_lead(
    client: Client, application: Application, lead_reviewer: User, reviewer: User
) -> None:
    client.force_login(reviewer)
    assert "assign" not in client.get(page_of(application)).context["forms"]
    press(client, application, "assign", to=reviewer.pk)
    application.refresh_from_db()
    assert application.claimed_by is None
    client.force_login(lead_reviewer)
    press(client, application, "assign", to=reviewer.pk)
    application.refresh_from_db()
    assert application.claimed_by == reviewer


def test_a_claim_by_script_says_whether_it_succeeded(
    desk: Client, application: Application, lead_reviewer: User
) -> None:
    claimed = desk.post(button_of(application, "claim"), headers=JSON).json()
    assert claimed["said"].startswith("claimed")
    desk.force_login(lead_reviewer)
    late = desk.post(button_of(application, "claim"), headers=JSON)
    assert (late.status_code, "in review" in late.json()["said"]) == (409, True)


@pytest.mark.slow
def test_changed_passages_of_a_resubmission_are_marked(
    desk: Client, application: Application, reviewer: User
) -> None:
    decisions.return_for_changes(
        application, by=reviewer, reasons=["purpose_unclear"], remarks={"abstract": "Which model?"}
    )
    answers = application.answers
    changed = answers | {"abstract": answers["abstract"].replace("eight bits", "<four> bits")}
    applicant = application.applicant
    submission.save_answers(
        application, changed, by=applicant, expected_version=application.answers_version
    )
    sha256 = factories.in_force(application.tier).text_sha256
    submission.submit(application, by=applicant, licence_sha256=sha256)
    shown = desk.get(page_of(application)).text
    assert "<del >eight </del><ins >&lt;four&gt; </ins>" in " ".join(shown.split())
    assert shown.count('class="answer-mark"') == 1


@pytest.mark.slow
def test_documents_that_were_sent_are_linked_and_others_are_not(
    desk: Client, applicant: User, gated_tier: Tier
) -> None:
    gated_tier.questions.create(key="approval", label="Ethics approval", kind="file")
    application = submission.start(applicant, gated_tier)
    sent, unsent = (
        services.attach(application, "extra_approval", name, content, by=applicant)
        for name, content in zip(
            ["sent.pdf", "unsent.pdf"], list(HARMLESS.values())[:2], strict=True
        )
    )
    named = [{"id": str(sent.public_id), "name": sent.name, "sha256": sent.sha256}]
    answers = factories.ANSWERS | {"extra_approval": named}
    submission.save_answers(application, answers, by=applicant, expected_version=0)
    sha256 = factories.in_force(gated_tier).text_sha256
    submission.submit(application, by=applicant, licence_sha256=sha256)
    shown = desk.get(page_of(application)).text
    address = reverse("accounts:document", args=[sent.public_id])
    assert f'href="{address}"' in shown
    assert "unsent.pdf" not in shown
    assert unsent.pk
    assert desk.get(address).headers["Content-Disposition"].startswith("attachment")
