"""Sweeps concurrent with people and with each other, and killed with SIGKILL.

Each runs on its own connection, on PostgreSQL, which locks single rows.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from accounts.applications import inactivity
from accounts.applications.models import Application
from accounts.applications.workflow import claims, conversation, decisions, submission
from accounts.audit.models import AuditEvent
from accounts.background import review_sweep
from accounts.grants.models import Grant
from accounts.mail.models import OutgoingMail
from accounts.review.deadlines import release_idle_claims
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import crashes, factories
from tests.support.hurry import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.one_database]

#: A Wednesday after the digest's hour.
NOW = datetime(2027, 6, 16, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _wednesday() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def idle(applicant: User, gated_tier: Tier, reviewer: User) -> Application:
    """An application whose claim should end now."""
    application = factories.submitted(applicant, gated_tier)
    claims.claim(application, by=reviewer)
    Application.objects.filter(pk=application.pk).update(worked_at=NOW - timedelta(days=7))
    return Application.objects.get(pk=application.pk)


@pytest.fixture
def silent(applicant: User, gated_tier: Tier, reviewer: User) -> Application:
    """A returned application that should lapse now."""
    application = factories.returned(applicant, gated_tier, reviewer)
    long_ago = NOW - timedelta(days=31)
    Application.objects.filter(pk=application.pk).update(returned_at=long_ago, saved_at=long_ago)
    return Application.objects.get(pk=application.pk)


def test_two_sweeps_at_once_do_everything_once(
    idle: Application, lead_reviewer: User, gated_tier: Tier, reviewer: User
) -> None:
    late = factories.submitted(factories.person(), gated_tier)
    Application.objects.filter(pk=late.pk).update(due_on="2027-06-01")
    factories.returned(factories.person(), gated_tier, reviewer)
    Application.objects.filter(status="returned").update(
        returned_at=NOW - timedelta(days=8), saved_at=NOW - timedelta(days=8)
    )
    assert at_once(review_sweep.run, review_sweep.run, review_sweep.run) == ["done"] * 3
    released = AuditEvent.objects.filter(action="application.release")
    assert [event.result for event in released] == ["ok"]
    for kind, number in {
        "claim_ended": 1,
        "application_overdue": 1,
        "return_reminder": 1,
        "staff_digest": 2,
    }.items():
        assert OutgoingMail.objects.filter(kind=kind).count() == number, kind


def test_a_sweep_leaves_a_claim_that_its_reviewer_is_working_on_this_instant(
    idle: Application, reviewer: User
) -> None:
    """The reviewer's transaction is open and not committed; the sweep neither waits nor takes."""
    begun, swept = Event(), Event()

    def work() -> None:
        with transaction.atomic():
            conversation.remark(
                Application.objects.get(pk=idle.pk), "I asked the group.", by=reviewer
            )
            begun.set()
            assert swept.wait(20)
        connection.close()

    working = Thread(target=work)
    working.start()
    assert begun.wait(20)
    assert release_idle_claims(timezone.now()) == 0
    swept.set()
    working.join()
    idle.refresh_from_db()
    assert (idle.claimed_by, idle.worked_at) == (reviewer, NOW)
    assert release_idle_claims(timezone.now()) == 0


def test_a_decision_and_the_end_of_its_claim_at_once_yield_one_of_them(
    idle: Application, reviewer: User
) -> None:
    def approve() -> None:
        decisions.approve(Application.objects.get(pk=idle.pk), by=reviewer, confirmed=True)

    at_once(approve, lambda: release_idle_claims(timezone.now()))
    idle.refresh_from_db()
    assert Grant.objects.filter(application=idle).exists() == (idle.status == "approved")
    assert idle.status in {"approved", "submitted"}


def test_a_late_answer_and_the_lapse_at_once_yield_one_of_them(
    silent: Application, applicant: User, gated_tier: Tier
) -> None:
    sha = factories.in_force(gated_tier).text_sha256

    def submit() -> None:
        submission.submit(Application.objects.get(pk=silent.pk), by=applicant, licence_sha256=sha)

    results = at_once(submit, lambda: inactivity.lapse_returned(timezone.now()))
    silent.refresh_from_db()
    expected = {"submitted": ["done", "done"], "lapsed": ["bad_transition", "done"]}
    assert results == expected[silent.status]
    lapsed = OutgoingMail.objects.filter(kind="application_lapsed").count()
    assert lapsed == (silent.status == "lapsed")


# -- killed between any two statements ----------------------------------------------------


def _facts() -> tuple[object, ...]:
    """All that a change may touch."""
    return (
        list(Application.objects.order_by("pk").values()),
        list(Grant.objects.order_by("pk").values_list("state", "application")),
        list(OutgoingMail.objects.order_by("unique_key").values_list("unique_key", flat=True)),
        AuditEvent.objects.count(),
    )


def _whole_or_nothing(act: Callable[[], object]) -> int:
    """Kill `act` at each statement: nothing is ever half done. How many kills there were."""
    before, kills = _facts(), 0
    for kills in crashes.each_crash(act):
        assert _facts() == before, f"killed before statement {kills}"
    after = _facts()
    assert after != before
    act()
    assert _facts() == after, "a second run found something left"
    return kills


STEPS = ["claims released", "applications lapsed", "applicants reminded", "overdue told"]


@pytest.mark.parametrize("step", STEPS)
def test_a_sweep_killed_anywhere_has_done_a_whole_row_or_none(
    step: str, idle: Application, lead_reviewer: User
) -> None:
    quiet = {"applications lapsed": 31, "applicants reminded": 8}.get(step)
    if quiet is not None:
        since = NOW - timedelta(days=quiet)
        Application.objects.update(
            status="returned", claimed_by=None, returned_at=since, saved_at=since, due_on=None
        )
    if step == "overdue told":
        Application.objects.update(due_on="2027-06-01")
    assert _whole_or_nothing(lambda: review_sweep.STEPS[step](timezone.now())) > 5
