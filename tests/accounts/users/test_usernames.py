"""Valid usernames, and the lookup of accounts by username or address."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.errors import InvalidValue
from accounts.grants.models import Grant
from accounts.tiers.models import Tier
from accounts.users import usernames
from accounts.users.models import User
from accounts.users.services import create_account
from tests.support import factories

pytestmark = pytest.mark.django_db

ADDRESS = "heidi@example.org"
INVALID = [ADDRESS, "heidi+1", "-heidi", "_heidi", "hеidi", "heidi\n", "he idi", "h" * 64, ""]
VALID = ["heidi", "H", "4.2_b-c", "h" * 63]


def sign_up(name: str) -> None:
    form = dict.fromkeys(["password1", "password2"], factories.PASSWORD)
    Client().post("/accounts/signup/", {"username": name, "email": "h@example.org", **form})


def add_in_the_admin(name: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    form = dict.fromkeys(["password1", "password2"], factories.PASSWORD)
    data = {"username": name, "email": "h@example.org", "usable_password": "true", **form}
    client.post(reverse("admin:accounts_user_add"), data)


def command(name: str) -> None:
    try:
        create_account(name, "h@example.org")
    except InvalidValue:
        return


@pytest.mark.parametrize("make", [sign_up, add_in_the_admin, command])
def test_no_sign_up_creates_a_username_that_is_an_address_or_resembles_another(
    make: Any,
) -> None:
    before = User.objects.filter(is_superuser=False)
    for name in INVALID[:1] if make is not command else INVALID:
        make(name)
        assert not before.exists(), name
        User.objects.filter(is_superuser=True).delete()
    make("heidi")
    assert before.get().username == "heidi"


@pytest.mark.parametrize("name", VALID)
@pytest.mark.one_database
def test_plain_names_fit(name: str) -> None:
    usernames.validate_username(name)
    command(name)
    assert User.objects.get().username == name


def test_a_name_of_other_days_stays_and_a_new_one_fits(client: Client) -> None:
    person = factories.person("older@example.org", email="older@example.org")
    client.force_login(User.objects.create_superuser("root", "root@example.org", "x"))
    page = reverse("admin:accounts_user_change", args=[person.pk])
    shown = client.get(page).context["adminform"].form.initial
    data = {"username": shown["username"], "is_active": "on"}
    assert client.post(page, {**data, "first_name": "Ada"}).status_code == 302
    person.refresh_from_db()
    assert (person.username, person.first_name) == ("older@example.org", "Ada")
    assert "A username has 1 to 63" in client.post(page, {**data, "username": ADDRESS}).text


# -- lookup -----------------------------------------------------------------------------------


@pytest.fixture
def heidi(db: None) -> User:
    """The owner of a confirmed address; an impostor has it as the username."""
    factories.person(ADDRESS, email="mallory@example.org")
    return factories.person("heidi", email=ADDRESS)


def request_grant(client: Client, lead: User, tier: Tier, name: str) -> Any:
    factories.published("acme/gated", tier)
    headers = {"Authorization": f"Bearer {factories.token(lead, 'admin')}"}
    path = "/api/models/acme/gated/user-access-request/grant"
    return client.post(path, {"user": name}, content_type="application/json", headers=headers)


@pytest.mark.usefixtures("store")
def test_by_api_an_address_means_who_has_confirmed_it(
    client: Client, heidi: User, gated_tier: Tier, lead_reviewer: User
) -> None:
    assert request_grant(client, lead_reviewer, gated_tier, ADDRESS).status_code == 200
    assert Grant.objects.get().user == heidi


@pytest.mark.usefixtures("store")
def test_an_unconfirmed_address_identifies_nobody(
    client: Client, heidi: User, gated_tier: Tier, lead_reviewer: User
) -> None:
    EmailAddress.objects.filter(user=heidi).update(verified=False)
    assert request_grant(client, lead_reviewer, gated_tier, ADDRESS).status_code == 404
    with pytest.raises(CommandError, match="no account has confirmed the address"):
        call_command("grant", ADDRESS, gated_tier.slug, "--reason", "a test")
    assert not Grant.objects.exists()


def test_by_command_an_address_means_the_same(heidi: User, gated_tier: Tier) -> None:
    call_command("grant", ADDRESS.upper(), gated_tier.slug, "--reason", "a test")
    assert Grant.objects.get().user == heidi


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["x" * 151, "x" * 60_000, f"{'x' * 60_000}@example.org"])
def test_a_name_of_any_length_is_answered_and_not_looked_up(
    client: Client, gated_tier: Tier, lead_reviewer: User, name: str
) -> None:
    response = request_grant(client, lead_reviewer, gated_tier, name)
    assert response.status_code == 400
    assert "at most 150 characters" in response.json()["error"]
