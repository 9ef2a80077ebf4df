"""A decision that can be undone: hidden, undone only by its reviewer, else applied by a sweep."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from accounts.applications.models import Application
from accounts.applications.workflow import (
    claims,
    conflicts,
    decisions,
    submission,
    undo_window,
)
from accounts.audit.models import AuditEvent
from accounts.errors import ConfirmationRequired, NotAllowed, TransitionRefused
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.review.checklist import QUESTIONS
from accounts.roles.models import RoleAssignment
from accounts.tasks import sweep
from accounts.users.models import User
from tests.accounts.review.desk.addresses import button_of, page_of
from tests.support import crashes, factories

pytestmark = pytest.mark.django_db

NOTE = "The plan does not say who can read the weights, nor when they are deleted."
REMARKS = {"abstract": "Name the method."}
VERDICTS: dict[str, Any] = {
    "approve": lambda one, by: decisions.approve(one, by=by, note=NOTE, confirmed=True),
    "reject": lambda one, by: decisions.reject(one, by=by, reasons=["spam"], note=NOTE),
    "return": lambda one, by: decisions.return_for_changes(
        one, by=by, reasons=["purpose_unclear"], remarks=REMARKS, note=NOTE
    ),
}
REACHED = {"approve": "approved", "reject": "rejected", "return": "returned"}


@pytest.fixture(autouse=True)
def _a_minute(settings: Settings) -> None:
    settings.DECISION_UNDO_SECONDS = 60


@pytest.fixture
def decided(application: Application, reviewer: User) -> Application:
    assert decisions.approve(application, by=reviewer, note=NOTE, confirmed=True) is None
    return application


def _after_the_minute() -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        sweep()


def _kinds() -> list[str]:
    return list(OutgoingMail.objects.order_by("pk").values_list("kind", flat=True))


@pytest.mark.parametrize("verdict", list(VERDICTS))
def test_the_applicant_learns_nothing_until_the_sweep_and_everything_by_it(
    verdict: str, application: Application, applicant: User, reviewer: User, client: Client
) -> None:
    client.force_login(applicant)
    page = reverse("accounts:application-detail", args=[application.public_id])
    claims.claim(application, by=reviewer)
    with time_machine.travel(timezone.now(), tick=False):
        before, mails = _main(client.get(page).text), _kinds()
        assert VERDICTS[verdict](application, reviewer) is None
        sweep()
        assert _main(client.get(page).text) == before
    assert _kinds() == mails
    assert not Grant.objects.exists()
    _after_the_minute()
    application.refresh_from_db()
    assert application.status == REACHED[verdict]
    assert application.pending_verdict == {}
    assert _kinds() == [*mails, f"application_{REACHED[verdict]}"]
    assert NOTE in client.get(page).text
    assert Grant.objects.live().count() == (verdict == "approve")
    event = AuditEvent.objects.about(application).get(action=f"application.{verdict}")
    assert event.actor_id == reviewer.public_id
    _after_the_minute()
    assert application.decisions.count() == 1


def _main(page: str) -> str:
    """The content of a page, without the CSRF tokens, which change."""
    return re.sub(r'value="\w{64}"', "", page.partition("<main")[2].partition("</main>")[0])


def test_the_grant_starts_when_the_mail_is_queued(decided: Application) -> None:
    decided_at = timezone.now()
    _after_the_minute()
    mail = OutgoingMail.objects.get(kind="application_approved")
    assert decided.grant.starts_at >= decided_at + timedelta(seconds=59)
    assert abs(mail.created_at - decided.grant.starts_at) < timedelta(seconds=5)


def test_its_reviewer_undoes_it_and_decides_anew(decided: Application, reviewer: User) -> None:
    undo_window.undo(decided, by=reviewer)
    _after_the_minute()
    decided.refresh_from_db()
    assert (decided.status, decided.claimed_by, decided.pending_verdict) == (
        "in_review",
        reviewer,
        {},
    )
    assert not decided.decisions.exists()
    actions = AuditEvent.objects.about(decided).values_list("action", "result")
    assert list(actions)[-2:] == [("application.decide", "ok"), ("application.undo", "ok")]
    VERDICTS["reject"](decided, reviewer)
    _after_the_minute()
    decided.refresh_from_db()
    assert decided.status == "rejected"


def test_nobody_else_undoes_it_or_decides_meanwhile(
    decided: Application, applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    for other in (lead_reviewer, applicant, factories.person()):
        with pytest.raises(NotAllowed):
            undo_window.undo(decided, by=other)
    tries: list[Any] = [
        lambda: claims.assign(decided, lead_reviewer, by=lead_reviewer),
        lambda: claims.release(decided, by=reviewer),
        lambda: conflicts.declare_conflict(decided, by=reviewer, reason="we share a grant"),
        *(lambda act=act: act(decided, reviewer) for act in VERDICTS.values()),
        *(lambda act=act: act(decided, lead_reviewer) for act in VERDICTS.values()),
    ]
    for attempt in tries:
        with pytest.raises(TransitionRefused, match="only they can undo it"):
            attempt()
    _after_the_minute()
    assert decided.decisions.get().verdict == "approve"


def test_after_the_time_it_cannot_be_undone(decided: Application, reviewer: User) -> None:
    with (
        time_machine.travel(timezone.now() + timedelta(seconds=61)),
        pytest.raises(TransitionRefused, match="has passed"),
    ):
        undo_window.undo(decided, by=reviewer)
    _after_the_minute()
    with pytest.raises(TransitionRefused, match="no decision"):
        undo_window.undo(decided, by=reviewer)


def test_a_withdrawal_ends_a_decision_that_waits(decided: Application, applicant: User) -> None:
    submission.withdraw(decided, by=applicant)
    _after_the_minute()
    decided.refresh_from_db()
    assert (decided.status, decided.pending_verdict) == ("withdrawn", {})
    assert not Grant.objects.exists()


def test_the_decision_of_a_reviewer_who_lost_the_role_is_undone(
    decided: Application, reviewer: User
) -> None:
    RoleAssignment.objects.filter(user=reviewer).delete()
    _after_the_minute()
    decided.refresh_from_db()
    assert (decided.status, decided.pending_until) == ("in_review", None)
    event = AuditEvent.objects.about(decided).filter(action="application.undo").get()
    assert event.details == {"verdict": "approve", "error": "not_allowed"}


def test_a_decision_that_the_sweep_undid_keeps_its_note_until_it_is_decided_again(
    decided: Application, reviewer: User, desk: Client
) -> None:
    roles = RoleAssignment.objects.filter(user=reviewer)
    role = roles.get()
    roles.delete()
    _after_the_minute()
    role.pk = None
    role.save()
    page = desk.get(page_of(decided)).text
    assert "could not take effect and was undone" in page
    assert NOTE in page
    decided.refresh_from_db()
    decisions.approve(decided, by=reviewer, note=NOTE, confirmed=True)
    _after_the_minute()
    decided.refresh_from_db()
    assert (decided.status, decided.pending_verdict) == ("approved", {})


def test_of_two_approvals_the_second_starts_the_time(
    applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    decisions.approve(application, by=reviewer, confirmed=True)
    assert application.pending_until is None
    assert application.first_approval is not None
    decisions.approve(application, by=lead_reviewer, confirmed=True)
    with pytest.raises(NotAllowed):
        undo_window.undo(application, by=reviewer)
    undo_window.undo(application, by=lead_reviewer)
    assert application.first_approval is not None
    decisions.approve(application, by=lead_reviewer, confirmed=True)
    _after_the_minute()
    assert Grant.objects.get().application == application


@pytest.mark.one_database
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_any_two_statements_leaves_it_to_the_next_sweep(
    decided: Application,
) -> None:
    later = timezone.now() + timedelta(seconds=61)
    for _ in crashes.each_crash(lambda: undo_window.finish(decided.pk, now=later)):
        decided.refresh_from_db()
        assert decided.pending_until is not None
        assert not Grant.objects.exists()
        assert "application_approved" not in _kinds()
    decided.refresh_from_db()
    assert decided.status == "approved"
    assert Grant.objects.get().application == decided


# -- the desk ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_desk_offers_undo_to_the_reviewer_alone(
    decided: Application, desk: Client, lead_reviewer: User
) -> None:
    queue = reverse("admin:accounts_application_changelist")
    for page in (queue, page_of(decided)):
        assert button_of(decided, "undo") in desk.get(page).text
    assert 'value="approve"' not in desk.get(page_of(decided)).text
    desk.force_login(lead_reviewer)
    for page in (queue, page_of(decided)):
        assert button_of(decided, "undo") not in desk.get(page).text
    refused = desk.post(button_of(decided, "undo"), follow=True)
    assert "whose decision it is" in refused.text


def test_the_button_undoes_the_decision(decided: Application, desk: Client) -> None:
    done = desk.post(button_of(decided, "undo"), follow=True)
    assert "on your desk again" in done.text
    assert 'value="approve"' in done.text


def test_the_desk_says_when_a_decision_takes_effect(desk: Client, application: Application) -> None:
    data = {"days": "30", "confirmed": "on"}
    done = desk.post(button_of(application, "approve"), data, follow=True)
    application.refresh_from_db()
    assert f"takes effect at {application.pending_until:%H:%M:%S} UTC" in done.text


@pytest.mark.parametrize("verdict", list(VERDICTS))
def test_an_undone_decision_fills_the_forms_of_the_desk(
    verdict: str, application: Application, desk: Client
) -> None:
    entries: dict[str, Any] = {
        "note": NOTE,
        "internal_note": "Ask <b>Grace</b> first.",
        "check_identity": "no",
        "remark_abstract": REMARKS["abstract"],
        "days": "30",
        "reject_reasons": ["spam"],
        "return_reasons": ["purpose_unclear"],
        "confirmed": "on",
    }
    desk.post(button_of(application, verdict), entries)
    page = desk.post(button_of(application, "undo"))
    assert page.context["chosen"] == verdict
    assert page.context["errors"] == []
    form = page.context["forms"][verdict]
    values = {name: form[name].value() for name in form.fields if name in entries}
    values.pop("confirmed", None)  # an approval with open points asks again
    assert values == {name: {"days": 30}.get(name, entries[name]) for name in values}
    assert NOTE in page.text
    assert "Ask &lt;b&gt;Grace&lt;/b&gt; first." in page.text


def test_a_remark_while_a_decision_waits_is_confirmed_as_a_remark(
    decided: Application, desk: Client, lead_reviewer: User
) -> None:
    desk.force_login(lead_reviewer)
    done = desk.post(button_of(decided, "remark"), {"remark-text": "Good."}, follow=True)
    assert "remarked for staff" in done.text
    assert "you can undo it" not in done.text


# -- confirmation -----------------------------------------------------------------------


def test_an_approval_with_open_points_asks_by_name(
    application: Application, reviewer: User, desk: Client
) -> None:
    answers = dict.fromkeys(QUESTIONS, "yes")
    with pytest.raises(ConfirmationRequired, match="clearly identified"):
        decisions.approve(application, by=reviewer, checklist=answers | {"identity": ""})
    application.refresh_from_db()
    assert application.status == "submitted"
    application.remarks.create(author=reviewer, text="<b>Which data?</b>")
    page = desk.post(button_of(application, "approve"), {"days": "30"}).text
    assert "Is the applicant clearly identified?" in page
    assert "&lt;b&gt;Which data?&lt;/b&gt;" in page
    assert "Approve anyway" in page
    with pytest.raises(ConfirmationRequired) as asked:
        decisions.approve(application, by=reviewer, checklist=answers)
    assert asked.value.points == ["open remark: <b>Which data?</b>"]
    application.remarks.update(settled_at=timezone.now())
    decisions.approve(application, by=reviewer, checklist=answers)
    assert application.pending_until is not None


def test_the_first_of_two_approvals_asks_too(applicant: User, reviewer: User) -> None:
    application = factories.submitted(applicant, factories.tier("two", approvals_needed=2))
    with pytest.raises(ConfirmationRequired):
        decisions.approve(application, by=reviewer, checklist={})
    application.refresh_from_db()
    assert application.first_approval is None
