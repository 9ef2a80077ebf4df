"""The admin page of an account lists roles, grants, applications and downloads."""

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.admin_pages.related_records import RECORDS_NAMED
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def member(applicant: User, other_person: User, gated_tier: Tier) -> User:
    """A person with a record of each kind in `gated_tier` and in another tier."""
    for tier in (gated_tier, factories.tier("elsewhere")):
        RoleAssignment.objects.assign(applicant, Role.REVIEWER, tier)
        factories.submitted(applicant, tier)
        revision = factories.published(f"acme/{tier.slug}", tier)
        factories.downloaded(applicant, revision, "config.json")
        factories.downloaded(other_person, revision, "README.md")
    factories.grant(applicant, factories.tier("elsewhere"))
    factories.grant(applicant, factories.tier("third"))
    return applicant


def _page(person: User) -> str:
    return reverse("admin:accounts_user_change", args=[person.pk])


def _lists(client: Client, person: User) -> dict[str, list[str]]:
    """Title -> texts of the named records."""
    related = client.get(_page(person)).context["related"]
    return {one.title: [str(record) for record, _ in one.records] for one in related}


@pytest.mark.slow
def test_an_auditor_reads_all_four_lists_and_every_link_opens(
    client: Client, member: User, auditor: User
) -> None:
    client.force_login(auditor)
    lists = _lists(client, member)
    assert {title: len(named) for title, named in lists.items()} == {
        "Grants": 2,
        "Applications": 2,
        "Downloads": 2,
    }
    main = client.get(_page(member)).text.partition("<h2>Grants</h2>")[2].partition("<footer")[0]
    links = [unescape(link) for link in re.findall(r'href="(/admin/[^"]+)"', main)]
    assert len(links) >= 9
    for link in links:
        assert client.get(link).status_code == 200, link
    downloads = next(link for link in links if "download/?" in link)
    text = client.get(downloads).text
    assert "config.json" in text
    assert "README.md" not in text
    applications = next(link for link in links if "application/?" in link)
    assert client.get(applications).context["cl"].result_count == 2


def test_an_administrator_reads_the_roles_alone(
    client: Client, member: User, administrator: User
) -> None:
    client.force_login(administrator)
    assert {title: len(named) for title, named in _lists(client, member).items()} == {
        "Role assignments": 2
    }


def test_the_lists_hold_only_records_of_the_readers_tiers(
    client: Client, member: User, gated_tier: Tier
) -> None:
    client.force_login(factories.staff("limited", Role.AUDITOR, gated_tier))
    lists = _lists(client, member)
    assert lists["Grants"] == []
    assert len(lists["Applications"]) == 1
    assert lists["Downloads"] == ["acme/opt-175b/config.json: served"]
    text = client.get(_page(member)).text
    assert "None in your tiers." in text
    assert "elsewhere" not in text


@pytest.mark.slow
def test_long_lists_are_cut_off_and_cost_no_more_queries(
    client: Client,
    member: User,
    auditor: User,
    gated_tier: Tier,
    django_assert_max_num_queries: Callable[..., Any],
) -> None:
    revision = factories.published("acme/many", gated_tier)
    for _ in range(RECORDS_NAMED + 5):
        factories.downloaded(member, revision, "config.json")
    client.force_login(auditor)
    client.get(_page(member))
    with django_assert_max_num_queries(30):
        lists = _lists(client, member)
    assert len(lists["Downloads"]) == RECORDS_NAMED
    assert "Show all" in client.get(_page(member)).text
