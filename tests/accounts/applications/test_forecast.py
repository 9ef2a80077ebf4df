"""The forecast is accurate: about 80 % of applications are answered by the forecast day."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.applications import forecast
from accounts.applications.models import Application
from accounts.applications.models.form import FormVersion
from accounts.applications.workflow import claims, decisions, submission
from accounts.review import working_days
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db


def _answered(
    tier: Tier, applicant: User, submitted: datetime, answered: datetime, form: FormVersion
) -> Application:
    return Application(
        applicant=applicant,
        tier=tier,
        form=form,
        status="withdrawn",
        submitted_at=submitted,
        answered_at=answered,
        decided_at=answered,
    )


def _history(tier: Tier, applicant: User, waits: list[int]) -> None:
    """Create an answered application for each wait, in working days; the last is the newest."""
    monday = datetime(2026, 3, 2, 9, tzinfo=UTC)
    form = FormVersion.objects.current(tier)
    applications = []
    for number, wait in enumerate(waits):
        submitted = monday + timedelta(minutes=number)
        done = working_days.add(submitted.date(), wait)
        answered = datetime(done.year, done.month, done.day, 15, number % 60, tzinfo=UTC)
        applications.append(_answered(tier, applicant, submitted, answered, form))
    Application.objects.bulk_create(applications)


def test_under_twenty_answers_nothing_is_foretold(gated_tier: Tier, applicant: User) -> None:
    _history(gated_tier, applicant, [3] * 19)
    assert forecast.forecast(gated_tier) is None
    _history(gated_tier, applicant, [3])
    assert forecast.forecast(gated_tier) is not None


def test_it_names_the_median_and_the_day_by_which_eighty_percent_were_done(
    gated_tier: Tier, applicant: User
) -> None:
    _history(gated_tier, applicant, [*range(1, 21)])
    found = forecast.forecast(gated_tier)
    assert found == forecast.Forecast(count=20, median_days=10.5, most_days=17)
    assert found.done_by(date(2027, 3, 5)) == date(2027, 3, 30)  # a Friday, and 17 working days


def test_only_the_fifty_newest_answers_of_its_own_tier_count(
    gated_tier: Tier, applicant: User
) -> None:
    _history(gated_tier, applicant, [1] * 30)
    _history(gated_tier, applicant, [8] * 50)
    _history(factories.tier("elsewhere"), applicant, [20] * 50)
    found = forecast.forecast(gated_tier)
    assert found == forecast.Forecast(count=50, median_days=8, most_days=8)


def test_a_return_is_the_first_answer_and_a_first_of_two_approvals_is_none(
    gated_tier: Tier, applicant: User, reviewer: User, lead_reviewer: User
) -> None:
    gated_tier.approvals_needed = 2
    gated_tier.save()
    with time_machine.travel("2027-03-01 10:00Z", tick=False) as clock:
        application = factories.submitted(applicant, gated_tier)
        decisions.approve(application, by=reviewer, confirmed=True)
        assert application.answered_at is None
        clock.move_to("2027-03-02 10:00Z")
        claims.release(application, by=reviewer)
        decisions.return_for_changes(
            application, by=lead_reviewer, reasons=["incomplete"], remarks={"abstract": "Say more."}
        )
        answered_at_first = application.answered_at
        assert answered_at_first == timezone.now()
        clock.move_to("2027-03-03 10:00Z")
        sha = factories.in_force(gated_tier).text_sha256
        submission.submit(application, by=applicant, licence_sha256=sha)
        decisions.approve(application, by=reviewer, confirmed=True)
        decisions.approve(application, by=lead_reviewer, confirmed=True)
    application.refresh_from_db()
    assert application.answered_at == answered_at_first


def test_the_outlook_counts_those_before_it_by_first_submission(
    gated_tier: Tier, reviewer: User
) -> None:
    first, second, third = (factories.submitted(factories.person(), gated_tier) for _ in range(3))
    factories.submitted(factories.person(), factories.tier("elsewhere"))
    claims.claim(first, by=reviewer)
    assert [forecast.outlook(one).ahead for one in (first, second, third)] == [0, 1, 2]
    decisions.approve(first, by=reviewer, confirmed=True)
    assert forecast.outlook(third).ahead == 1
    assert forecast.outlook(first) == forecast.Outlook(None, None, None, None)


def test_a_returned_application_keeps_its_place_and_its_own_clock(
    gated_tier: Tier, applicant: User, reviewer: User
) -> None:
    _history(gated_tier, applicant, [4] * 20)
    application = factories.submitted(applicant, gated_tier)
    factories.submitted(factories.person(), gated_tier)
    before = forecast.outlook(application)
    assert before.forecast is not None
    assert before.done_by is not None
    decisions.return_for_changes(
        application, by=reviewer, reasons=["incomplete"], remarks={"abstract": "Say more."}
    )
    assert forecast.outlook(application).ahead is None
    sha = factories.in_force(gated_tier).text_sha256
    submission.submit(application, by=applicant, licence_sha256=sha)
    after = forecast.outlook(application)
    assert (after.ahead, after.forecast, after.due_on) == (0, None, application.due_on)


def test_the_outlook_takes_two_queries(
    gated_tier: Tier, applicant: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _history(gated_tier, applicant, [4] * 60)
    application = factories.submitted(applicant, gated_tier)
    with django_assert_num_queries(2):
        forecast.outlook(application)


@pytest.mark.slow
@pytest.mark.parametrize(("slower", "least"), [(1.0, 0.75), (1.5, 0.68)], ids=["steady", "slower"])
def test_replayed_over_a_long_queue_about_eight_in_ten_get_an_answer_by_the_forecast_day(
    slower: float, least: float, gated_tier: Tier, applicant: User
) -> None:
    """Each submission uses the forecast of its time.

    Waits are skewed; where staff gets slower by half on the way, the newest fifty follow late.
    """
    chance = random.Random(175)
    form = FormVersion.objects.current(gated_tier)
    now = datetime(2027, 1, 4, 9, tzinfo=UTC)
    due: list[Application] = []
    on_time = []
    for number in range(300):
        now += timedelta(minutes=chance.expovariate(1 / 300))
        Application.objects.bulk_create([one for one in due if _moment(one) <= now])
        due = [one for one in due if _moment(one) > now]
        wait = chance.lognormvariate(1.1, 0.6) * (slower if number > 150 else 1.0)
        due.append(_answered(gated_tier, applicant, now, now + timedelta(days=wait), form))
        if (expected := forecast.forecast(gated_tier)) is not None:
            answered_on = working_days.utc_date(_moment(due[-1]))
            on_time.append(answered_on <= expected.done_by(working_days.utc_date(now)))
    coverage = sum(on_time) / len(on_time)
    print(f"coverage of the 80 % day: {coverage:.1%} of {len(on_time)} forecasts")  # noqa: T201
    assert least <= coverage <= 0.92


def _moment(application: Application) -> datetime:
    assert application.answered_at is not None
    return application.answered_at
