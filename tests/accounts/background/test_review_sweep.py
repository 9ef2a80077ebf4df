"""Effects of time: released claims, reminders, lapses, overdue mails, the digest."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from accounts.applications.documents.models import Attachment
from accounts.applications.models import Application
from accounts.applications.workflow import (
    claims,
    conflicts,
    conversation,
    decisions,
    submission,
)
from accounts.audit.models import AuditEvent
from accounts.background import review_sweep
from accounts.background.models import Heartbeat
from accounts.mail.models import OutgoingMail
from accounts.review.deadlines import release_idle_claims
from accounts.roles.permissions import Role
from accounts.tasks import clocks
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

MONDAY = "2027-02-08 10:00Z"


def _mails(kind: str) -> list[str]:
    """To whom messages of this kind are written, in their order."""
    mails = OutgoingMail.objects.filter(kind=kind).order_by("pk")
    return [mail.recipient.username for mail in mails if mail.recipient]


def _days_on(clock: time_machine.Traveller, days: float) -> dict[str, int]:
    """Move the clock, and sweep as two workers would, one after the other."""
    clock.shift(timedelta(days=days))
    done = review_sweep.run()
    assert not any(review_sweep.run().values()), "a second sweep found something left"
    return {name: number for name, number in done.items() if number}


# -- claims -----------------------------------------------------------------------------


def test_a_claim_ends_after_two_working_days_without_work(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel("2027-02-05 16:00Z", tick=False) as clock:  # a Friday
        application = factories.submitted(applicant, gated_tier)
        claims.claim(application, by=reviewer)
        assert _days_on(clock, 3.9).get("claims released") is None  # Tuesday, 13:36
        assert _days_on(clock, 0.1)["claims released"] == 1
    application.refresh_from_db()
    assert (application.status, application.claimed_by) == ("submitted", None)
    assert _mails("claim_ended") == ["reviewer"]
    assert AuditEvent.objects.about(application).filter(action="application.release").count() == 1


def test_work_on_a_claim_keeps_it(applicant: User, gated_tier: Tier, reviewer: User) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        claims.claim(application, by=reviewer)
        clock.shift(timedelta(days=1))
        conversation.remark(application, "I asked the group.", by=reviewer)
        assert "claims released" not in _days_on(clock, 1)
        assert _days_on(clock, 1)["claims released"] == 1


def test_a_first_approval_that_waits_for_another_is_not_taken_back(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    gated_tier.approvals_needed = 2
    gated_tier.save()
    with time_machine.travel(MONDAY, tick=False) as clock:
        decisions.approve(factories.submitted(applicant, gated_tier), by=reviewer, confirmed=True)
        assert "claims released" not in _days_on(clock, 30)


def test_a_reviewer_is_mailed_each_time_one_of_their_claims_ends(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        for _ in range(2):
            claims.claim(Application.objects.get(pk=application.pk), by=reviewer)
            _days_on(clock, 7)
    assert _mails("claim_ended") == ["reviewer", "reviewer"]


# -- silence ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_returned_application_is_reminded_on_day_7_and_23_and_lapses_on_day_30(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.returned(applicant, gated_tier, reviewer)
        told = [name for _ in range(31) for name in _days_on(clock, 1) if "overdue" not in name]
        assert told == ["applicants reminded", "applicants reminded", "applications lapsed"]
    application.refresh_from_db()
    assert application.status == "lapsed"
    reminders = OutgoingMail.objects.filter(kind="return_reminder").order_by("pk")
    assert [str(mail.created_at.date()) for mail in reminders] == ["2027-02-15", "2027-03-03"]
    assert all("lapses on 10 March 2027" in mail.text for mail in reminders)
    assert application.decided_at is not None
    assert str(application.decided_at.date()) == "2027-03-10"
    assert application.latest_snapshot is not None
    assert application.answers["title"], "a lapsed application can still be copied"


def test_whatever_the_applicant_saves_breaks_the_silence(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.returned(applicant, gated_tier, reviewer)
        clock.shift(timedelta(days=20))
        submission.save_answers(application, factories.ANSWERS, by=applicant, expected_version=1)
        assert "applications lapsed" not in _days_on(clock, 29)
        assert _days_on(clock, 1)["applications lapsed"] == 1


def test_after_a_time_without_sweeps_only_the_later_reminder_leaves(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        factories.returned(applicant, gated_tier, reviewer)
        _days_on(clock, 25)
    assert _mails("return_reminder") == ["applicant"]


def _draft(applicant: User, tier: Tier) -> Application:
    draft = submission.start(applicant, tier)
    submission.save_answers(draft, factories.ANSWERS, by=applicant, expected_version=0)
    Attachment.objects.create(
        application=draft,
        question="q",
        name="a.pdf",
        size=4,
        sha256="0" * 64,
        uploaded_by=applicant,
    )
    return draft


def test_a_draft_is_warned_of_7_days_before_and_then_erased(
    applicant: User, gated_tier: Tier
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        draft = _draft(applicant, gated_tier)
        assert _days_on(clock, 82) == {}
        assert _days_on(clock, 1) == {"drafts warned of": 1}
        assert _days_on(clock, 6) == {}
        assert _days_on(clock, 1) == {"drafts lapsed": 1}
    draft.refresh_from_db()
    assert (draft.status, draft.answers) == ("lapsed", {})
    assert not Attachment.objects.exists()
    warning = OutgoingMail.objects.get(kind="draft_warning")
    assert "9 May 2027" in warning.subject
    assert factories.ANSWERS["title"] not in warning.text


def test_no_draft_is_erased_before_its_owner_was_warned_a_week_ago(
    applicant: User, gated_tier: Tier
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        _draft(applicant, gated_tier)
        assert _days_on(clock, 200) == {"drafts warned of": 1}  # the portal was down for long
        assert _days_on(clock, 6.9) == {}
        assert _days_on(clock, 0.1) == {"drafts lapsed": 1}


def test_a_draft_that_was_saved_again_is_warned_of_again(applicant: User, gated_tier: Tier) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        draft = _draft(applicant, gated_tier)
        _days_on(clock, 85)
        submission.save_answers(draft, factories.ANSWERS, by=applicant, expected_version=1)
        assert _days_on(clock, 20) == {}
        assert _days_on(clock, 63) == {"drafts warned of": 1}


# -- staff ------------------------------------------------------------------------------


def test_the_leads_of_a_tier_are_mailed_once_when_a_first_decision_is_late(
    applicant: User, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    factories.staff("elsewhere", Role.LEAD_REVIEWER, factories.tier("other"))
    with time_machine.travel(MONDAY, tick=False) as clock:
        factories.submitted(applicant, gated_tier)
        assert "overdue told" not in _days_on(clock, 7)  # due today
        assert _days_on(clock, 1)["overdue told"] == 1
        assert "overdue told" not in _days_on(clock, 30)
    assert _mails("application_overdue") == ["lead"]


def test_a_returned_application_is_never_overdue(
    applicant: User, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        factories.returned(applicant, gated_tier, reviewer)
        assert "overdue told" not in _days_on(clock, 20)


@pytest.mark.slow
def test_a_colleague_is_reminded_once_while_the_application_waits(
    applicant: User, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        claims.claim(application, by=reviewer)
        conversation.ask(application, lead_reviewer, "Do you know them?", by=reviewer)
        assert "colleagues reminded" not in _days_on(clock, 1)
        assert _days_on(clock, 1)["colleagues reminded"] == 1
        assert "colleagues reminded" not in _days_on(clock, 5)
    assert _mails("colleague_reminded") == ["lead"]


@pytest.mark.slow
def test_reviewers_hear_once_a_working_day_of_what_is_new_in_their_tiers(
    applicant: User, gated_tier: Tier
) -> None:
    factories.staff("here", Role.REVIEWER, gated_tier)
    factories.staff("there", Role.REVIEWER, factories.tier("other"))
    factories.staff("watcher", Role.AUDITOR)
    with time_machine.travel("2027-02-06 10:00Z", tick=False) as clock:  # a Saturday
        application = factories.submitted(applicant, gated_tier)
        assert _days_on(clock, 0) == {}
        assert _days_on(clock, 1) == {}
        clock.move_to("2027-02-08 05:59Z")
        assert _days_on(clock, 0) == {}
        clock.move_to("2027-02-08 06:00Z")
        assert _days_on(clock, 0) == {"digests sent": 1}
        factories.submitted(factories.person("later"), gated_tier)
        assert _days_on(clock, 0.1) == {}
        assert _days_on(clock, 1) == {"digests sent": 1}
    assert _mails("staff_digest") == ["here", "here"]
    first, second = OutgoingMail.objects.filter(kind="staff_digest").order_by("pk")
    assert application.reference in first.text
    assert application.reference not in second.text
    assert "In total, 2 applications" in second.text
    assert factories.ANSWERS["title"] not in first.text


def test_a_digest_is_silent_about_ones_own_application_and_conflicts(
    gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(reviewer, gated_tier)
        conflicts.declare_conflict(application, by=lead_reviewer, reason="we share a grant")
        assert _days_on(clock, 1) == {}


def test_a_resubmitted_application_is_new_in_the_digest(
    applicant: User, gated_tier: Tier, reviewer: User
) -> None:
    with time_machine.travel(MONDAY, tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        _days_on(clock, 0)
        decisions.return_for_changes(
            application, by=reviewer, reasons=["incomplete"], remarks={"abstract": "Say more."}
        )
        assert "digests sent" not in _days_on(clock, 1)
        sha = factories.in_force(gated_tier).text_sha256
        submission.submit(application, by=applicant, licence_sha256=sha)
        assert _days_on(clock, 1)["digests sent"] == 1


# -- the sweep itself -------------------------------------------------------------------


def test_one_row_that_cannot_be_settled_stops_no_other(
    gated_tier: Tier, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = claims.release_idle
    with time_machine.travel(MONDAY, tick=False) as clock:
        broken, sound = (factories.submitted(factories.person(), gated_tier) for _ in range(2))
        for application in (broken, sound):
            claims.claim(application, by=reviewer)

        def fail_once(application: Application) -> None:
            if application.pk == broken.pk:
                raise ValueError("a row that cannot be settled")
            release(application)

        # No row is known that cannot be settled; the next one will be a fault of ours.
        monkeypatch.setattr(claims, "release_idle", fail_once)
        clock.shift(timedelta(days=9))
        assert release_idle_claims(timezone.now()) == 1
    sound.refresh_from_db()
    assert sound.status == "submitted"


def test_the_task_records_its_last_success(settings: Settings) -> None:
    with time_machine.travel(MONDAY, tick=False):
        clocks()
        heartbeat = Heartbeat.objects.get(name="clocks")
        assert heartbeat.at == timezone.now()
    assert heartbeat.failing == {}
