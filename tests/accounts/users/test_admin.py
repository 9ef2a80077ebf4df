"""Administrators may change only accounts whose rights are within their own."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

LIST = reverse("admin:accounts_user_changelist")


def superuser(tier: Tier) -> User:
    return factories.person("root", is_superuser=True, is_staff=True)


def administrator_of_all(tier: Tier) -> User:
    return factories.staff("all", Role.ADMINISTRATOR)


def reviewer_of(tier: Tier) -> User:
    return factories.staff("theirs", Role.REVIEWER, tier)


def holder_of(tier: Tier) -> User:
    return factories.grant(factories.person("holder"), tier).user


Maker = Callable[[Tier], User]


def attempt_changes(client: Client, person: User) -> set[int]:
    """Try a new password, a new address and an erasure. Returns the first two status codes."""
    page = reverse("admin:accounts_user_change", args=[person.pk])
    password = {"password1": "taken over 12345", "password2": "taken over 12345"}
    responses = [
        client.post(
            reverse("admin:auth_user_password_change", args=[person.pk]),
            {**password, "usable_password": "true"},
        ),
        client.post(page, {"username": person.username, "email": "mine@example.org"}),
    ]
    client.post(LIST, {"action": "erase", "_selected_action": [person.pk], "confirmed": "1"})
    return {response.status_code for response in responses}


def stored_fields(person: User) -> tuple[object, ...]:
    stored = User.objects.get(pk=person.pk)
    return stored.password, stored.email, stored.is_active, stored.erased_at


@pytest.mark.parametrize("make", [superuser, administrator_of_all, reviewer_of, holder_of])
def test_an_administrator_of_one_tier_changes_nobody_with_rights_beyond_it(
    make: Maker, client: Client, gated_tier: Tier
) -> None:
    person = make(factories.tier("another"))
    before = stored_fields(person)
    client.force_login(factories.staff("local", Role.ADMINISTRATOR, gated_tier))
    assert client.get(reverse("admin:accounts_user_change", args=[person.pk])).status_code == 404
    assert attempt_changes(client, person) == {404}
    assert stored_fields(person) == before


@pytest.mark.parametrize("make", [administrator_of_all, reviewer_of, holder_of])
def test_an_administrator_of_one_tier_only_reads_an_account_that_also_belongs_to_others(
    make: Maker, client: Client, gated_tier: Tier
) -> None:
    person = make(factories.tier("another"))
    factories.grant(person, gated_tier)
    before = stored_fields(person)
    client.force_login(factories.staff("local", Role.ADMINISTRATOR, gated_tier))
    assert client.get(reverse("admin:accounts_user_change", args=[person.pk])).status_code == 200
    assert attempt_changes(client, person) == {403}
    assert stored_fields(person) == before


def test_an_administrator_of_all_tiers_changes_no_superuser(
    client: Client, administrator: User, gated_tier: Tier
) -> None:
    root = superuser(gated_tier)
    before = stored_fields(root)
    client.force_login(administrator)
    assert attempt_changes(client, root) == {403}
    assert stored_fields(root) == before


@pytest.mark.parametrize("make", [reviewer_of, holder_of])
def test_an_administrator_changes_accounts_of_their_own_tier(
    make: Maker, client: Client, gated_tier: Tier
) -> None:
    person = make(gated_tier)
    client.force_login(factories.staff("local", Role.ADMINISTRATOR, gated_tier))
    assert attempt_changes(client, person) == {302}
    assert stored_fields(person)[:2] != (person.password, person.email)
