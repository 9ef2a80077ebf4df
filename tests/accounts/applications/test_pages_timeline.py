"""The page of an application: status, timeline with mails, and actions."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings as portal_settings
from django.test import Client
from django.utils import timezone

from accounts.applications import inactivity, messages
from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import claims, conversation, decisions, submission
from accounts.grants import lifecycle
from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.one_database

SPAM = "This is an advertisement and no research at all."


@pytest.fixture
def window(client: Client, applicant: User) -> Client:
    client.force_login(applicant)
    return client


@pytest.fixture
def application(applicant: User, gated_tier: Tier) -> Application:
    return factories.submitted(applicant, gated_tier)


def page_of(window: Client, application: Application) -> str:
    answer = window.get(f"/applications/{application.public_id}/")
    assert answer.status_code == 200
    return answer.text


def act(window: Client, application: Application, what: str, **sent: str) -> Any:
    return window.post(f"/applications/{application.public_id}/{what}/", sent, follow=True)


# -- place in the queue ---------------------------------------------------------------------


def test_it_shows_how_many_of_its_tier_wait_before_it(
    window: Client, application: Application, gated_tier: Tier
) -> None:
    factories.submitted(factories.person(), gated_tier)
    factories.submitted(factories.person(), factories.tier())
    page = page_of(window, application)
    assert "is next in the queue" in page
    due = application.due_on
    assert due is not None
    assert f"{due.day} {due:%B %Y}" in page
    Application.objects.filter(pk=application.pk).update(submitted_at=timezone.now())
    page = " ".join(page_of(window, application).split())
    assert "1 application for this tier is ahead of yours" in page


@pytest.mark.slow
def test_after_a_return_the_day_is_that_of_the_next_answer(
    window: Client, applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    again = factories.returned(applicant, gated_tier, reviewer)
    submission.submit(
        again, by=applicant, licence_sha256=factories.in_force(gated_tier).text_sha256
    )
    assert "The next answer should reach you by" in page_of(window, again)


@pytest.mark.slow
def test_with_enough_decisions_it_shows_a_forecast(
    window: Client,
    application: Application,
    gated_tier: Tier,
    reviewer: User,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "Of the last" not in page_of(window, application)
    # A bound made small: as many people as in earnest would take a while.
    monkeypatch.setattr("accounts.applications.forecast.MIN_SAMPLE", 4)
    for _ in range(4):
        decisions.approve(
            factories.submitted(factories.person(), gated_tier), by=reviewer, confirmed=True
        )
    assert "Of the last 4 applications, half had an answer within" in page_of(window, application)


def test_a_draft_and_a_returned_application_tell_when_they_lapse(
    window: Client, applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    draft = submission.start(applicant, factories.tier())
    day = timezone.now() + timedelta(days=portal_settings.DRAFT_SILENCE_DAYS)
    assert f"{day.day} {day:%B %Y}" in page_of(window, draft)
    returned = factories.returned(applicant, gated_tier, reviewer)
    day = timezone.now() + timedelta(days=portal_settings.RETURN_SILENCE_DAYS)
    page = page_of(window, returned)
    assert f"{day.day} {day:%B %Y}" in page
    assert "form/project/" in page  # where the remark is


@pytest.mark.slow
def test_saving_answers_moves_the_day_on_which_an_application_lapses(
    window: Client, applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    """As the reminder by mail and the sweep have it."""
    application = factories.returned(applicant, gated_tier, reviewer)
    application.returned_at = timezone.now() - timedelta(days=20)
    application.save(update_fields=["returned_at"])
    submission.save_answers(
        application, {}, by=applicant, expected_version=application.answers_version
    )
    day = timezone.now() + timedelta(days=portal_settings.RETURN_SILENCE_DAYS)
    assert f"Answer by <strong>{day.day} {day:%B %Y}</strong>" in page_of(window, application)
    messages.return_reminder(application, day=7)
    told = OutgoingMail.objects.get(kind="return_reminder").text
    assert f"lapses on {day.day} {day:%B %Y}" in told


def test_a_lapsed_application_says_that_nothing_was_decided(
    window: Client, applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    application = factories.returned(applicant, gated_tier, reviewer)
    inactivity.lapse(application)
    page = page_of(window, application)
    assert "It was not rejected" in page
    assert "Copy as a new application" in page


def test_the_page_opens_in_as_many_queries_however_much_happened(
    window: Client, application: Application, reviewer: User, django_assert_max_num_queries: Any
) -> None:
    claims.claim(application, by=reviewer)
    for number in range(5):
        conversation.remark(application, f"Remark {number}", by=reviewer, public=True)
    with django_assert_max_num_queries(16):
        page_of(window, application)


def test_the_list_says_what_comes_next_for_each(
    window: Client, application: Application, applicant: User, reviewer: User
) -> None:
    submission.start(applicant, factories.tier())
    other = factories.tier()
    factories.returned(applicant, other, reviewer)
    page = window.get("/applications/").text
    assert "Continue the draft" in page
    assert "Answer the reviewer" in page
    due = application.due_on
    assert due is not None
    assert f"an answer by {due.day} {due:%B %Y}" in page


# -- mails ----------------------------------------------------------------------------------


def test_each_mail_is_on_the_timeline_and_a_failure_is_shown(
    window: Client, application: Application
) -> None:
    assert "Receipt" in page_of(window, application)
    assert "on its way" in page_of(window, application)
    OutgoingMail.objects.update(state=OutgoingMail.State.FAILED)
    page = page_of(window, application)
    assert "could not be delivered" in page
    assert "is-failed" in page


def mail_of(application: Application, **facts: Any) -> OutgoingMail:
    """The first mail to its applicant, changed by these facts."""
    mail = OutgoingMail.objects.filter(recipient=application.applicant).order_by("pk").first()
    assert mail is not None
    for name, value in facts.items():
        setattr(mail, name, value)
    mail.save()
    return mail


def again(window: Client, application: Application, mail: OutgoingMail) -> str:
    answer = act(window, application, f"mails/{mail.public_id}")
    return str(answer.text)


def test_a_mail_can_be_read_on_the_timeline(window: Client, application: Application) -> None:
    mail = mail_of(application, text="Read <this> at https://example.org/x", state="kept")
    page = page_of(window, application)
    assert mail.subject in page
    assert "Read &lt;this&gt; at <a href=" in page
    assert "Send again" in page


@pytest.mark.slow
def test_a_mail_is_sent_again_as_it_was_at_most_three_times_an_hour(
    window: Client, application: Application
) -> None:
    mail = mail_of(application, state="sent")
    for _ in range(3):
        assert "was sent again" in again(window, application, mail)
    assert "you can resend three mails" in again(window, application, mail).lower()
    mails = OutgoingMail.objects.filter(kind="application_received")
    assert mails.count() == 4
    assert mails.values("to", "subject", "text", "object_id").distinct().count() == 1
    assert set(mails.exclude(pk=mail.pk).values_list("state", flat=True)) == {"queued"}


def test_a_mail_that_failed_is_tried_again_itself(window: Client, application: Application) -> None:
    mail = mail_of(application, state="failed", attempts=8)
    again(window, application, mail)
    mail.refresh_from_db()
    assert (mail.state, mail.attempts) == ("queued", 0)
    assert OutgoingMail.objects.count() == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"state": "queued"},
        {"state": "sent", "text": "[removed]"},
        {"state": "sent", "text": "Open [removed after sending]"},
        {"state": "kept", "secret": "https://example.org/d/x/", "text": "https://example.org/d/x/"},
    ],
)
def test_a_mail_that_is_queued_or_not_stored_is_not_sent_again(
    facts: dict[str, str], window: Client, application: Application
) -> None:
    mail = mail_of(application, **facts)
    assert "Send again" not in page_of(window, application)
    assert "example.org/d/" not in page_of(window, application)
    assert "was sent again" not in again(window, application, mail)
    assert OutgoingMail.objects.count() == 1


def test_mails_of_others_are_not_sent_by_an_applicant(
    window: Client, application: Application, reviewer: User, lead_reviewer: User
) -> None:
    claims.assign(application, reviewer, by=lead_reviewer)
    to_staff = OutgoingMail.objects.get(kind="application_assigned")
    other = factories.submitted(factories.person(), application.tier)
    for mail in (to_staff, mail_of(other)):
        address = f"/applications/{application.public_id}/mails/{mail.public_id}/"
        assert window.post(address).status_code == 404


def test_mails_to_staff_stand_on_no_applicants_page(
    window: Client, application: Application, reviewer: User, lead_reviewer: User
) -> None:
    claims.assign(application, reviewer, by=lead_reviewer)
    page = page_of(window, application)
    assert reviewer.email not in page
    assert lead_reviewer.username not in page


# -- remarks --------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_remark_in_between_is_answered_on_the_page(
    window: Client, application: Application, reviewer: User
) -> None:
    remark = conversation.remark(application, "Is the cluster shared?", by=reviewer, public=True)
    hidden = conversation.remark(application, "Looks odd to me.", by=reviewer)
    page = page_of(window, application)
    assert "Is the cluster shared?" in page
    assert "Looks odd to me." not in page
    said = {f"answer_{remark.pk}": "No.", f"answer_{hidden.pk}": "x"}
    act(window, application, "answers", **said)
    remark.refresh_from_db()
    hidden.refresh_from_db()
    assert (remark.answer, hidden.answer) == ("No.", "")
    assert "No." in page_of(window, application)


def test_a_decided_application_takes_no_more_answers(
    window: Client, application: Application, reviewer: User
) -> None:
    remark = conversation.remark(application, "Is the cluster shared?", by=reviewer, public=True)
    decisions.approve(application, by=reviewer, confirmed=True)
    act(window, application, "answers", **{f"answer_{remark.pk}": "Too late"})
    remark.refresh_from_db()
    assert remark.answer == ""


# -- what was decided -----------------------------------------------------------------------


def test_a_first_approval_of_two_is_no_approval_to_its_applicant(
    window: Client, applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two", approvals_needed=2)
    application = factories.submitted(applicant, tier)
    decisions.approve(application, by=reviewer, note="Please cite the paper.", confirmed=True)
    page = page_of(window, application)
    assert "Approved," not in page
    assert "Please cite the paper." not in page
    decisions.approve(application, by=lead_reviewer, note="And good luck.", confirmed=True)
    page = page_of(window, application)
    assert page.count("Approved,") == 1
    assert "Please cite the paper.<br><br>And good luck." in page
    mail = OutgoingMail.objects.get(kind="application_approved")
    assert "Please cite the paper.\n\nAnd good luck." in mail.text


def test_a_first_approval_without_effect_is_not_announced(
    window: Client, applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    decisions.approve(application, by=reviewer, confirmed=True)
    decisions.reject(application, by=lead_reviewer, reasons=["spam"], note=SPAM)
    page = page_of(window, application)
    assert "Rejected," in page
    assert "Approved," not in page


@pytest.mark.slow
def test_the_page_says_when_access_is_on_hold_and_when_it_was_revoked(
    window: Client, application: Application, reviewer: User
) -> None:
    grant = factories.approved(application, reviewer)
    lifecycle.suspend(grant, by=None, reason="A look is needed.")
    page = page_of(window, application)
    assert "Your access is on hold" in page
    assert "Copy as a new application" not in page
    lifecycle.revoke(grant, by=None, reason="It was <passed> on.", code="prior_breach")
    page = page_of(window, application)
    assert "Your access was revoked" in page
    assert "It was &lt;passed&gt; on." in page
    assert "Copy as a new application" not in page  # days must pass first
    again = timezone.now() + timedelta(days=365)
    assert f"again from <strong>{again.day} {again:%B %Y}" in page
    mail = OutgoingMail.objects.get(kind="access_revoked")
    assert f"after 365 days, from {again.day} {again:%B %Y}" in mail.text
    assert f"Dear {application.answers['full_name']}," in mail.text


def test_access_given_back_leaves_a_copy_to_be_made(
    window: Client, application: Application, reviewer: User, applicant: User
) -> None:
    lifecycle.surrender(factories.approved(application, reviewer), by=applicant)
    page = page_of(window, application)
    assert "You gave up this access" in page
    assert "Copy as a new application" in page


# -- again ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_withdrawn_application_is_copied_with_its_answers(
    window: Client, application: Application, applicant: User
) -> None:
    submission.withdraw(application, by=applicant)
    page = act(window, application, "copy").text
    draft = Application.objects.latest("pk")
    assert (draft.status, draft.predecessor) == (Status.DRAFT, application)
    assert draft.answers["title"] == application.answers["title"]
    assert "licence_accept" not in draft.answers
    assert "We created a draft with your last submitted answers" in page


@pytest.mark.slow
def test_after_a_rejection_the_waiting_period_is_shown_and_enforced(
    window: Client, application: Application, reviewer: User, applicant: User
) -> None:
    decisions.reject(application, by=reviewer, reasons=["spam"], note=SPAM)
    until = timezone.now() + timedelta(days=90)
    page = page_of(window, application)
    button = '<button type="submit" class="button">Apply again</button>'
    assert f"{until.day} {until:%B %Y}" in page
    assert button not in page
    assert "again from" in act(window, application, "copy").text
    assert Application.objects.count() == 1
    with time_machine.travel(until + timedelta(hours=1)):
        window.force_login(applicant)
        assert button in page_of(window, application)


def test_an_open_application_is_not_copied(window: Client, application: Application) -> None:
    assert "only a closed application can be copied" in act(window, application, "copy").text
    assert Application.objects.count() == 1


@pytest.mark.parametrize("what", ["copy", "mails/{mail}", "answers", "adopt", "review", "form/you"])
def test_another_persons_application_does_not_exist(
    client: Client, application: Application, what: str
) -> None:
    client.force_login(factories.person())
    what = what.format(mail=mail_of(application).public_id)
    address = f"/applications/{application.public_id}/{what}/"
    assert client.post(address).status_code == 404
