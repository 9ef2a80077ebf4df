"""After a rejection: apply again from a given day, or appeal once to another reviewer."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from pytest_django import Settings

from accounts.applications.models import Application
from accounts.applications.workflow import appeals, claims, conflicts, decisions, submission
from accounts.applications.workflow.eligibility import may_apply_from
from accounts.audit.models import AuditEvent
from accounts.errors import AccountsError, AlreadyHeld, InvalidValue, LimitReached, NotAllowed
from accounts.grants import lifecycle
from accounts.mail.models import OutgoingMail
from accounts.privacy import personal_data, retention
from accounts.review import evidence, queue, working_days
from accounts.review.desk.access import access_of
from accounts.review.forms import AssignForm
from accounts.review.models import ReasonText
from accounts.tiers.models import Tier
from accounts.transparency import counting, tables
from accounts.transparency.counting import Counts, MonthCounts
from accounts.users.models import User
from tests.accounts.review.desk.addresses import page_of
from tests.support import factories

pytestmark = pytest.mark.django_db

NOTE = "The plan does not say who can read the weights, nor when they are deleted."
TEXT = "The plan names <b>both</b> people and the day of deletion; please read page 3 again. " * 2


@pytest.fixture
def rejected(application: Application, reviewer: User) -> Application:
    decisions.reject(application, by=reviewer, reasons=["plan_insufficient"], note=NOTE)
    return application


@pytest.fixture
def appeal(rejected: Application, applicant: User, lead_reviewer: User) -> Application:
    return appeals.appeal(rejected, TEXT, by=applicant)


def appeal_url(application: Application) -> str:
    return reverse("accounts:application-appeal", args=[application.public_id])


def detail_url(application: Application) -> str:
    return reverse("accounts:application-detail", args=[application.public_id])


# -- the appeal -------------------------------------------------------------------------


def test_an_appeal_waits_with_the_same_answers_and_a_deadline_of_its_own(
    appeal: Application, rejected: Application
) -> None:
    today = working_days.utc_date(timezone.now())
    assert (appeal.status, appeal.kind, appeal.predecessor) == ("submitted", "appeal", rejected)
    assert appeal.submitted_answers == rejected.submitted_answers
    assert appeal.due_on == working_days.add(today, 10)
    assert appeal.appeal_text == TEXT.strip()
    event = AuditEvent.objects.about(appeal).get(action="application.appeal")
    assert event.details == {"predecessor": rejected.reference}
    receipt = OutgoingMail.objects.get(kind="appeal_received")
    assert rejected.reference in receipt.text


def test_whoever_rejected_it_can_neither_be_assigned_the_appeal_nor_decide_it(
    appeal: Application, reviewer: User, lead_reviewer: User
) -> None:
    with pytest.raises(InvalidValue, match="may not review"):
        claims.assign(appeal, reviewer, by=lead_reviewer)
    tries: list[Callable[[], object]] = [
        lambda: claims.claim(appeal, by=reviewer),
        lambda: decisions.approve(appeal, by=reviewer, confirmed=True),
        lambda: decisions.reject(appeal, by=reviewer, reasons=["other"], note=NOTE),
    ]
    for attempt in tries:
        with pytest.raises(NotAllowed, match="you rejected what"):
            attempt()
    assert access_of(appeal, reviewer).transitions == frozenset()
    assert queue.next_application(reviewer) is None
    assert queue.next_application(lead_reviewer) == appeal
    form = AssignForm(application=appeal, by=lead_reviewer)
    assert list(form.fields["to"].queryset) == [lead_reviewer]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_evidence_of_an_appeal_names_the_grounds_of_a_conflict(
    appeal: Application, reviewer: User, lead_reviewer: User
) -> None:
    conflicts.declare_conflict(appeal, by=lead_reviewer, reason="we share a grant")
    expected = {
        reviewer: ("you rejected the application that this appeals", "you rejected what"),
        lead_reviewer: ("you declared a conflict", "you declared a conflict of interest in"),
    }
    for person, (fact, refusal) in expected.items():
        lines = {line.key: line for line in evidence.collect(appeal, person)}
        assert (lines["conflict"].level, lines["conflict"].fact) == ("red", fact)
        with pytest.raises(NotAllowed, match=refusal):
            claims.claim(appeal, by=person)


def test_an_appeal_without_another_reviewer_alarms_the_leads(
    application: Application, applicant: User, lead_reviewer: User
) -> None:
    decisions.reject(application, by=lead_reviewer, reasons=["plan_insufficient"], note=NOTE)
    appeals.appeal(application, TEXT, by=applicant)
    mail = OutgoingMail.objects.get(kind="appeal_opened")
    assert mail.recipient == lead_reviewer
    assert "add a reviewer" in mail.text


def test_the_other_reviewers_are_mailed(appeal: Application, lead_reviewer: User) -> None:
    mail = OutgoingMail.objects.get(kind="appeal_opened")
    assert mail.recipient == lead_reviewer
    assert TEXT.strip() not in mail.text


def test_an_upheld_rejection_is_final_and_adds_no_waiting(
    appeal: Application, rejected: Application, applicant: User, lead_reviewer: User
) -> None:
    decisions.reject(appeal, by=lead_reviewer, reasons=["prohibited_use"], note=NOTE)
    mail = OutgoingMail.objects.get(kind="appeal_rejected")
    assert "stands, and this is final" in mail.text
    assert "apply again at any time" in mail.text
    for decided in (appeal, rejected):
        with pytest.raises(AccountsError):
            appeals.appeal(decided, TEXT, by=applicant)
    assert submission.copy_as_new(appeal, by=applicant).status == "draft"


def test_an_approved_appeal_gives_access(appeal: Application, lead_reviewer: User) -> None:
    grant = factories.approved(appeal, lead_reviewer)
    assert grant.is_live
    assert f"Your appeal {appeal.reference}" in (
        OutgoingMail.objects.get(kind="application_approved").text
    )


def test_an_overturned_rejection_asks_for_no_waiting_after_the_access(
    application: Application, applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    decisions.reject(application, by=reviewer, reasons=["commercial_use"], note=NOTE)
    grant = factories.approved(appeals.appeal(application, TEXT, by=applicant), lead_reviewer)
    lifecycle.surrender(grant, by=applicant)
    assert may_apply_from(applicant, application.tier) is None


@pytest.mark.parametrize("length", [0, 99, 3001])
def test_a_text_out_of_bounds_is_refused(
    length: int, rejected: Application, applicant: User
) -> None:
    with pytest.raises(InvalidValue, match=f"these are {length}"):
        appeals.appeal(rejected, "x" * length, by=applicant)
    assert Application.objects.count() == 1


def test_a_rejection_is_appealed_once_and_in_time(
    rejected: Application, applicant: User, lead_reviewer: User
) -> None:
    with pytest.raises(NotAllowed):
        appeals.appeal(rejected, TEXT, by=factories.person())
    with time_machine.travel(timezone.now() + timedelta(days=30)):
        assert appeals.deadline(rejected) is None
        with pytest.raises(AccountsError, match="could be appealed until"):
            appeals.appeal(rejected, TEXT, by=applicant)
    made = appeals.appeal(rejected, TEXT, by=applicant)
    submission.withdraw(made, by=applicant)
    with pytest.raises(AlreadyHeld, match="appeals this rejection already"):
        appeals.appeal(rejected, TEXT, by=applicant)
    with pytest.raises(IntegrityError), transaction.atomic():
        Application.objects.create(
            applicant=applicant,
            tier=rejected.tier,
            form=rejected.form,
            kind="appeal",
            status="withdrawn",
            predecessor=rejected,
        )


def test_spam_cannot_be_appealed(application: Application, applicant: User, reviewer: User) -> None:
    decisions.reject(application, by=reviewer, reasons=["spam"], note=NOTE)
    mail = OutgoingMail.objects.get(kind="application_rejected")
    assert "with your answers filled in. Start at" in mail.text
    assert "appeal" not in mail.text
    assert "you can appeal" not in OutgoingMail.objects.get(kind="application_rejected").text
    with pytest.raises(NotAllowed, match="cannot be appealed"):
        appeals.appeal(application, TEXT, by=applicant)


def test_a_new_application_and_an_appeal_exclude_each_other(
    rejected: Application, applicant: User, gated_tier: Tier, client: Client
) -> None:
    again = submission.copy_as_new(rejected, by=applicant)
    sha256 = factories.in_force(gated_tier).text_sha256
    submission.submit(again, by=applicant, licence_sha256=sha256)
    with pytest.raises(AlreadyHeld, match="already open"):
        appeals.appeal(rejected, TEXT, by=applicant)
    client.force_login(applicant)
    page = reverse("accounts:application-detail", args=[rejected.public_id])
    assert "Appeal the decision" not in client.get(page).text
    submission.withdraw(again, by=applicant)
    assert "Appeal the decision" in client.get(page).text
    Tier.objects.filter(pk=gated_tier.pk).update(retired_at=timezone.now())
    assert "Appeal the decision" not in client.get(page).text


def test_the_limit_of_submissions_does_not_count_appeals(
    appeal: Application, applicant: User, settings: Settings
) -> None:
    settings.SUBMISSIONS_A_DAY = 2
    other = factories.submitted(applicant, factories.tier("other"))
    assert other.status == "submitted"


# -- applying again ---------------------------------------------------------------------


def test_the_tier_sets_the_days_to_wait_and_the_mailed_date_stays(
    application: Application, applicant: User, reviewer: User, gated_tier: Tier
) -> None:
    Tier.objects.update(reapply_days=14)
    application.refresh_from_db()
    decisions.reject(application, by=reviewer, reasons=["plan_insufficient"], note=NOTE)
    day = timezone.now() + timedelta(days=14)
    mail = OutgoingMail.objects.get(kind="application_rejected")
    assert f"after 14 days, from {day.day} {day:%B %Y}" in mail.text
    Tier.objects.update(reapply_days=60)
    starts: list[Callable[[], object]] = [
        lambda: submission.copy_as_new(application, by=applicant),
        lambda: submission.start(applicant, gated_tier),
    ]
    for start in starts:
        with pytest.raises(LimitReached, match=f"from {day:%d %B %Y}"):
            start()
    with time_machine.travel(day + timedelta(minutes=1)):
        draft = submission.copy_as_new(application, by=applicant)
    assert draft.predecessor == application
    assert draft.answers["title"] == application.answers["title"]


def test_the_longer_of_reason_and_tier_counts(application: Application, reviewer: User) -> None:
    Tier.objects.update(reapply_days=14)
    application.refresh_from_db()
    decisions.reject(application, by=reviewer, reasons=["commercial_use"], note=NOTE)
    assert application.decisions.get().waiting_days == 30


# -- pages ------------------------------------------------------------------------------


def test_the_page_offers_both_and_shows_what_to_change(
    rejected: Application, applicant: User, client: Client
) -> None:
    client.force_login(applicant)
    page = client.get(detail_url(rejected)).text
    assert "What to change:" in page
    assert "Apply again" in page
    short = client.post(appeal_url(rejected), {"text": "Too <short>"})
    assert short.status_code == 422
    assert "Too &lt;short&gt;</textarea>" in short.text
    assert "100 to 3000 characters" in short.text
    made = client.post(appeal_url(rejected), {"text": TEXT}, follow=True)
    assert "&lt;b&gt;both&lt;/b&gt;" in made.text
    assert "This portal sends no mail: the receipt is on this page" in made.text
    assert "receipt is on its way" not in made.text
    appeal = Application.objects.get(kind="appeal")
    assert made.redirect_chain == [(detail_url(appeal), 302)]
    again = client.post(appeal_url(rejected), {"text": TEXT})
    assert (again.status_code, again["Location"]) == (302, detail_url(appeal))
    page = client.get(detail_url(rejected)).text
    assert appeal.reference in page
    assert "appeal-field" not in page


def test_another_persons_rejection_does_not_exist(rejected: Application, client: Client) -> None:
    client.force_login(factories.person())
    assert client.post(appeal_url(rejected), {"text": TEXT}).status_code == 404


def test_the_desk_names_the_reasons_of_the_rejection_in_words(
    appeal: Application, desk: Client, lead_reviewer: User
) -> None:
    desk.force_login(lead_reviewer)
    decision = appeal.predecessor.decisions.get() if appeal.predecessor else None
    assert decision is not None
    label = ReasonText.objects.current()[decision.reasons[0]][0]
    page = desk.get(page_of(appeal)).text
    assert f"({escape(label)})" in page
    assert f"({decision.reasons[0]})" not in page


def test_the_desk_marks_the_appeal_and_shows_what_it_is_about(
    appeal: Application, rejected: Application, desk: Client, lead_reviewer: User
) -> None:
    desk.force_login(lead_reviewer)
    listed = desk.get(reverse("admin:accounts_application_changelist")).text
    assert 'class="flag flag-appeal"' in listed
    page = desk.get(page_of(appeal)).text
    assert "&lt;b&gt;both&lt;/b&gt;" in page
    assert NOTE in page
    assert rejected.reference in page


# -- privacy and statistics -------------------------------------------------------------


def test_the_text_is_exported_and_erased_with_the_answers(
    appeal: Application, applicant: User
) -> None:
    exported = personal_data.records(applicant)["applications"]
    assert [one["appeal_text"] for one in exported] == ["", TEXT.strip()]
    submission.withdraw(appeal, by=applicant)
    retention.reduce_application(appeal)
    appeal.refresh_from_db()
    assert appeal.appeal_text == ""


def test_appeals_are_counted_apart_and_small_numbers_hidden() -> None:
    month = MonthCounts()
    month.outcomes.update(rejected=7)
    month.appeals.update(approved=6, rejected=2)
    built = tables.build_tables(Counts({("2027-02", "t"): month}, {}, {}))
    assert built["applications"][0]["rejected"] == 7
    assert built["appeals"] == [
        {
            "month": "2027-02",
            "tier": "t",
            "approved": 6,
            "rejected": "<5",
            "withdrawn": 0,
            "lapsed": 0,
            "shown": 6,
        }
    ]


def test_an_ended_appeal_is_no_application_of_the_statistics(
    appeal: Application, applicant: User
) -> None:
    submission.withdraw(appeal, by=applicant)
    with time_machine.travel(timezone.now() + timedelta(days=40)):
        (month,) = counting.count().months.values()
    assert (dict(month.outcomes), dict(month.appeals)) == ({"rejected": 1}, {"withdrawn": 1})
