"""The reviewers' queue: what it lists, counts and finds, and in how many queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.applications.models import Application, ApplicationSnapshot
from accounts.applications.workflow import (
    claims,
    conflicts,
    conversation,
    decisions,
    submission,
)
from accounts.review import queue, working_days
from accounts.review.queue import Desk, Flag
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.django_db

LIST = reverse("admin:accounts_application_changelist")
#: What the queue asks of the database, however many applications wait.
QUERIES_AT_MOST = 12


def asked(tier: Tier, **answers: Any) -> Application:
    """One more applicant's application, with these answers beside the usual ones."""
    person = factories.person()
    return factories.submitted(person, tier, {**factories.ANSWERS, **answers})


def listed(client: Client, **query: str) -> set[str]:
    """The references that the queue shows."""
    page = client.get(LIST, query)
    assert page.status_code == 200, page.headers
    return {one.reference for one in page.context["cl"].result_list}


def aged(application: Application, days: int) -> Application:
    """Changes the submission to this many working days ago."""
    today = working_days.utc_date(timezone.now())
    sent = working_days.add(today, -days)
    moment = timezone.now().replace(year=sent.year, month=sent.month, day=sent.day)
    due = working_days.add(sent, 5)
    Application.objects.filter(pk=application.pk).update(submitted_at=moment, due_on=due)
    return application


def test_it_shows_what_waits_the_oldest_first(desk: Client, gated_tier: Tier) -> None:
    younger, older = aged(asked(gated_tier), 1), aged(asked(gated_tier), 4)
    decided = asked(gated_tier)
    submission.withdraw(decided, by=decided.applicant)
    page = desk.get(LIST)
    shown = [one.reference for one in page.context["cl"].result_list]
    assert shown == [older.reference, younger.reference]
    assert "4 days" in page.text


def test_states_and_tiers_narrow_it(desk: Client, gated_tier: Tier) -> None:
    here, there = asked(gated_tier), asked(factories.tier("another"))
    submission.withdraw(there, by=there.applicant)
    assert listed(desk, state="withdrawn") == {there.reference}
    assert listed(desk, state="all") == {here.reference, there.reference}
    assert listed(desk, state="all", tier="another") == {there.reference}
    assert listed(desk, state="open", tier="another") == set()


@pytest.mark.slow
def test_age_and_the_due_day_narrow_it(desk: Client, gated_tier: Tier) -> None:
    made = {days: aged(asked(gated_tier), days).reference for days in (0, 3, 7, 11)}
    assert listed(desk, age="0-1") == {made[0]}
    assert listed(desk, age="2-4") == {made[3]}
    assert listed(desk, age="5-9") == {made[7]}
    assert listed(desk, age="10") == {made[11]}
    assert listed(desk, due="overdue") == {made[7], made[11]}
    assert listed(desk, due="intime") == {made[0], made[3]}
    assert "2 late" in desk.get(LIST).text


def test_claimers_narrow_it(
    desk: Client, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    free, mine, theirs = (asked(gated_tier) for _ in range(3))
    claims.claim(mine, by=reviewer)
    claims.claim(theirs, by=lead_reviewer)
    assert listed(desk, claimer="me") == {mine.reference}
    assert listed(desk, claimer="nobody") == {free.reference}
    assert listed(desk, claimer="others") == {theirs.reference}


@pytest.mark.slow
def test_flags_and_kinds_narrow_it(
    desk: Client, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    plain = asked(gated_tier, work_email="a@uni.example")
    free = asked(gated_tier, work_email="a@gmail.com")
    commercial = asked(gated_tier, commercial=True)
    question = asked(gated_tier)
    conversation.ask(question, lead_reviewer, "Do you know them?", by=reviewer)
    again = factories.returned(factories.person(), gated_tier, reviewer)
    submission.submit(
        again, by=again.applicant, licence_sha256=factories.in_force(gated_tier).text_sha256
    )
    before = asked(gated_tier)
    submission.withdraw(before, by=before.applicant)
    reopened = decisions.reopen(before.applicant, gated_tier, by=lead_reviewer)
    assert listed(desk, flag=Flag.FREE_MAIL) == {free.reference}
    assert listed(desk, flag=Flag.COMMERCIAL) == {commercial.reference}
    assert listed(desk, flag=Flag.QUESTION) == {question.reference}
    assert listed(desk, flag=Flag.AGAIN) == {again.reference}
    assert listed(desk, flag=Flag.BEFORE) == listed(desk, kind="reopened") == {reopened.reference}
    rows = {one.pk: queue.flags_of(one) for one in desk.get(LIST).context["cl"].result_list}
    assert (rows[plain.pk], rows[free.pk]) == ([], [Flag.FREE_MAIL])


@pytest.mark.slow
def test_saved_filters_list_as_many_as_they_count(
    desk: Client, reviewer: User, lead_reviewer: User
) -> None:
    tier = factories.tier("two", approvals_needed=2)
    free, mine, second, own_first, ask = (asked(tier) for _ in range(5))
    claims.claim(mine, by=reviewer)
    decisions.approve(second, by=lead_reviewer, confirmed=True)
    decisions.approve(own_first, by=reviewer, confirmed=True)
    conversation.ask(ask, reviewer, "Do you know them?", by=lead_reviewer)
    aged(free, 9)
    page = desk.get(LIST)
    counted = {one["query"]: one["count"] for one in page.context["cl"].desks}
    wanted = {
        Desk.MINE: {mine, own_first},
        Desk.UNCLAIMED: {free, ask},
        Desk.OVERDUE: {free},
        Desk.SECOND: {second},
        Desk.ASKED: {ask},
    }
    for name, applications in wanted.items():
        assert listed(desk, desk=name) == {one.reference for one in applications}, name
        assert counted[f"?desk={name}"] == len(applications), name


@pytest.mark.parametrize("word", ["reference", "STRASSE", "大學", "باحث", "müller", "@uni."])
def test_it_is_searched_by_reference_name_address_and_title(
    word: str, desk: Client, gated_tier: Tier
) -> None:
    wanted = asked(
        gated_tier,
        title="Outliers of the Strasse kind, طلب باحث",
        full_name="Zoë müller",
        org_name="清華大學",
        work_email="zoe@uni.example",
    )
    other = asked(gated_tier, full_name="Ada", work_email="ada@lab.example")
    if word == "reference":
        assert listed(desk, q=wanted.reference) == {wanted.reference}
        assert other.reference in listed(desk, q=str(other.pk))  # a name may hold digits too
    else:
        assert listed(desk, q=word) == {wanted.reference}


def test_a_search_finds_what_is_decided_too(desk: Client, gated_tier: Tier) -> None:
    decided = asked(gated_tier)
    submission.withdraw(decided, by=decided.applicant)
    assert listed(desk) == set()
    assert listed(desk, q=decided.reference) == {decided.reference}


def test_nothing_of_another_tier_is_listed_counted_or_found(
    client: Client, gated_tier: Tier
) -> None:
    here, there = asked(gated_tier), asked(factories.tier("another"))
    client.force_login(factories.staff("one-tier", Role.REVIEWER, gated_tier))
    page = client.get(LIST)
    assert there.reference not in page.text
    assert "another" not in page.text
    assert page.context["cl"].desks[2]["count"] == 1
    assert listed(client, q=there.reference) == listed(client, q="applicant@example.org") - {
        here.reference
    }


def test_markup_and_answers_not_yet_sent_stay_out_of_it(
    desk: Client, gated_tier: Tier, reviewer: User
) -> None:
    application = asked(gated_tier, title="<b>bold</b> title of a project")
    decisions.return_for_changes(
        application, by=reviewer, reasons=["incomplete"], remarks={"title": "Say more."}
    )
    answers = {**factories.ANSWERS, "title": "not sent yet"}
    submission.save_answers(
        application, answers, by=application.applicant, expected_version=application.answers_version
    )
    page = desk.get(LIST, {"state": "returned"}).text
    assert "&lt;b&gt;bold" in page
    assert "not sent yet" not in page


def test_next_opens_the_oldest_that_one_may_decide(
    desk: Client, gated_tier: Tier, reviewer: User
) -> None:
    own = factories.submitted(reviewer, gated_tier)
    conflict, claimed, oldest, later = (asked(gated_tier) for _ in range(4))
    for days, one in enumerate([later, oldest, claimed, conflict, own], start=1):
        aged(one, days)
    conflicts.declare_conflict(conflict, by=reviewer, reason="we share an office")
    claims.claim(claimed, by=factories.staff("colleague", Role.REVIEWER))
    address = reverse("admin:accounts_application_next")
    assert desk.get(address).headers["Location"] == page_of(oldest)
    assert desk.get(address, {"after": oldest.pk}).headers["Location"] == page_of(later)
    assert desk.get(address, {"after": later.pk}).headers["Location"] == page_of(oldest)


def test_an_application_that_came_back_to_its_reviewer_is_next(
    desk: Client, gated_tier: Tier, reviewer: User, lead_reviewer: User
) -> None:
    aged(asked(gated_tier), 5)
    for person, by in (("mine", reviewer), ("theirs", lead_reviewer)):
        application = factories.returned(factories.person(person), gated_tier, by)
        sha256 = factories.in_force(gated_tier).text_sha256
        submission.submit(application, by=application.applicant, licence_sha256=sha256)
    found = queue.next_application(reviewer)
    assert found is not None
    assert found.applicant.username == "mine"


def page_of(application: Application) -> str:
    return reverse("admin:accounts_application_change", args=[application.pk])


@pytest.mark.slow
def test_two_thousand_applications_cost_as_many_queries_as_two(
    desk: Client, gated_tier: Tier, reviewer: User
) -> None:
    first = asked(gated_tier)
    claims.claim(asked(gated_tier), by=reviewer)
    few = queries(desk)
    crowd(first, 2000)
    many = queries(desk)
    assert many == few <= QUERIES_AT_MOST
    assert desk.get(LIST).context["cl"].result_count == 2002
    assert len(listed(desk)) == 50


def queries(client: Client) -> int:
    client.get(LIST)
    with CaptureQueriesContext(connection) as asked_for:
        client.get(LIST)
    return len(asked_for)


def crowd(like: Application, count: int) -> None:
    """This many more applications like this one, each from a different person."""
    people = User.objects.bulk_create(
        User(username=f"crowd{number}", email=f"crowd{number}@uni.example")
        for number in range(count)
    )
    start = timezone.now() - timedelta(days=20)
    made = Application.objects.bulk_create(
        Application(
            applicant=person,
            tier=like.tier,
            form=like.form,
            status="submitted",
            answers=like.answers,
            submitted_at=start + timedelta(minutes=10 * number),
            due_on=working_days.utc_date(start),
        )
        for number, person in enumerate(people)
    )
    version = factories.in_force(like.tier)
    ApplicationSnapshot.objects.bulk_create(
        ApplicationSnapshot(application=one, number=1, answers=one.answers, licence_version=version)
        for one in made
    )
