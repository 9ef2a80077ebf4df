"""Neither responses nor their timing reveal whether an address is registered (AC-11)."""

import re
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.test import Client
from pytest_django import Settings

from accounts.mail.models import OutgoingMail
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

KNOWN, UNKNOWN = "known@example.org", "nobody@example.org"


@pytest.fixture(autouse=True)
def hashes(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[str]:
    """The passwords that Argon2 has hashed, which dominate the time of a response.

    Hashes are counted, because a test that compares times fails on a busy machine.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    factories.person("known", email=KNOWN)
    calls: list[str] = []

    def count(name: str) -> None:
        original = getattr(Argon2PasswordHasher, name)

        def call(self: Argon2PasswordHasher, password: str, *args: Any) -> Any:
            calls.append(password)
            return original(self, password, *args)

        # The wrapper calls the original method.
        monkeypatch.setattr(Argon2PasswordHasher, name, call)

    count("encode")
    count("verify")
    return calls


def comparable(response: Any, *names: str) -> tuple[int, str, str]:
    """Return status, Location and the text without the typed names and the CSRF token."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", response.text)
    for name in names:
        text = text.replace(name, "NAME")
    return response.status_code, response.get("Location", ""), text


def sign_in(name: str) -> Any:
    return Client().post("/accounts/login/", {"login": name, "password": "wrong password 1"})


def reset(address: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": address}, follow=False)


def sign_up(username: str, address: str) -> Any:
    form = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    return Client().post("/accounts/signup/", {"username": username, "email": address, **form})


@pytest.mark.slow
@pytest.mark.requirement("AC-11")
@pytest.mark.parametrize(("known", "unknown"), [("known", "nobody"), (KNOWN, UNKNOWN)])
def test_a_wrong_password_gets_the_same_answer(known: str, unknown: str, hashes: list[str]) -> None:
    responses, costs = [], []
    for name in (known, unknown):
        hashes.clear()
        responses.append(comparable(sign_in(name), name))
        costs.append(len(hashes))
    assert responses[0] == responses[1]
    assert costs == [1, 1]


@pytest.mark.slow
@pytest.mark.requirement("AC-11")
def test_a_closed_or_unconfirmed_account_is_answered_like_none(hashes: list[str]) -> None:
    factories.person("closed", is_active=False)
    costs, responses = [], []
    for name in ("closed", "nobody"):
        hashes.clear()
        responses.append(comparable(sign_in(name), name))
        costs.append(len(hashes))
    assert responses[0] == responses[1]
    assert costs[0] == costs[1]


@pytest.mark.requirement("AC-11")
def test_a_reset_is_answered_alike_and_each_address_gets_one_mail(hashes: list[str]) -> None:
    responses = [comparable(reset(address), address) for address in (KNOWN, UNKNOWN)]
    assert responses[0] == responses[1]
    assert responses[0][0] == 302
    assert hashes == []
    kinds = {mail.to: mail.kind for mail in OutgoingMail.objects.all()}
    assert set(kinds) == {KNOWN, UNKNOWN}
    assert kinds[KNOWN] != kinds[UNKNOWN]


@pytest.mark.slow
@pytest.mark.requirement("AC-11")
def test_signing_up_with_a_known_address_is_answered_as_with_a_new_one(hashes: list[str]) -> None:
    responses, costs = [], []
    for username, address in (("grace", KNOWN), ("hedy", UNKNOWN)):
        hashes.clear()
        responses.append(comparable(sign_up(username, address), username, address))
        costs.append(len(hashes))
    assert responses[0] == responses[1]
    assert responses[0][0] == 302
    assert costs[0] == costs[1]
    assert not User.objects.filter(username="grace").exists()
    assert User.objects.filter(username="hedy").exists()
    assert OutgoingMail.objects.filter(to=KNOWN).count() == 1
