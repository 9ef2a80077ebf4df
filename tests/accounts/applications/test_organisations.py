"""Suggested organisations are only names shared by several approved people."""

import pytest
from django.core.cache import cache

from accounts.applications import organisations
from accounts.applications.models import Application
from accounts.applications.transition_table import Status
from accounts.applications.workflow import submission
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]


def approved(tier: Tier, name: str, person: User | None = None) -> None:
    application = submission.start(person or factories.person(), tier)
    Application.objects.filter(pk=application.pk).update(
        status=Status.APPROVED, answers={"org_name": name}
    )


def test_a_name_is_offered_once_three_approved_people_have_given_it(gated_tier: Tier) -> None:
    for _ in range(3):
        approved(gated_tier, "University of Example")
    for _ in range(2):
        approved(gated_tier, "A small laboratory")
    assert organisations.suggestions() == ["University of Example"]


def test_one_person_who_applied_three_times_is_one(gated_tier: Tier) -> None:
    person = factories.person()
    for tier in (gated_tier, factories.tier(), factories.tier()):
        approved(tier, "Known to one", person)
    assert organisations.suggestions() == []


def test_only_approved_organisations_are_suggested(gated_tier: Tier) -> None:
    for _ in range(3):
        factories.submitted(factories.person(), gated_tier)
    assert organisations.suggestions() == []


def test_the_list_is_made_once_in_ten_minutes(gated_tier: Tier) -> None:
    assert organisations.suggestions() == []
    for _ in range(3):
        approved(gated_tier, "University of Example")
    assert organisations.suggestions() == []
    cache.clear()
    assert organisations.suggestions() == ["University of Example"]
