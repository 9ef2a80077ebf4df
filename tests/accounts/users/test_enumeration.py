"""Nobody learns from an answer, or from the time it takes, whether an address is known."""

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
    """One entry for each password that Argon2 hashes: what an answer's time is made of.

    Counted rather than timed, since a test that compares times fails on a busy machine.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    factories.person("known", email=KNOWN)
    made: list[str] = []

    def counted(name: str) -> None:
        plain = getattr(Argon2PasswordHasher, name)

        def call(self: Argon2PasswordHasher, password: str, *more: Any) -> Any:
            made.append(password)
            return plain(self, password, *more)

        # The real hasher still hashes; its calls are counted on the way.
        monkeypatch.setattr(Argon2PasswordHasher, name, call)

    counted("encode")
    counted("verify")
    return made


def told(answer: Any, *names: str) -> tuple[int, str, str]:
    """Status, where it leads, and the text without what was typed and each form's proof."""
    text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", answer.text)
    for name in names:
        text = text.replace(name, "NAME")
    return answer.status_code, answer.get("Location", ""), text


def sign_in(name: str) -> Any:
    return Client().post("/accounts/login/", {"login": name, "password": "wrong password 1"})


def reset(address: str) -> Any:
    return Client().post("/accounts/password/reset/", {"email": address}, follow=False)


def sign_up(username: str, address: str) -> Any:
    typed = {"password1": factories.PASSWORD, "password2": factories.PASSWORD}
    return Client().post("/accounts/signup/", {"username": username, "email": address, **typed})


@pytest.mark.requirement("AC-11")
@pytest.mark.parametrize(("known", "unknown"), [("known", "nobody"), (KNOWN, UNKNOWN)])
def test_a_wrong_password_is_answered_alike(known: str, unknown: str, hashes: list[str]) -> None:
    answers, costs = [], []
    for name in (known, unknown):
        hashes.clear()
        answers.append(told(sign_in(name), name))
        costs.append(len(hashes))
    assert answers[0] == answers[1]
    assert costs == [1, 1]


@pytest.mark.requirement("AC-11")
def test_a_closed_or_unconfirmed_account_is_answered_like_none(hashes: list[str]) -> None:
    factories.person("closed", is_active=False)
    costs, answers = [], []
    for name in ("closed", "nobody"):
        hashes.clear()
        answers.append(told(sign_in(name), name))
        costs.append(len(hashes))
    assert answers[0] == answers[1]
    assert costs[0] == costs[1]


@pytest.mark.requirement("AC-11")
def test_a_reset_is_answered_alike_and_each_address_gets_one_mail(hashes: list[str]) -> None:
    answers = [told(reset(address), address) for address in (KNOWN, UNKNOWN)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 302
    assert hashes == []
    kinds = {mail.to: mail.kind for mail in OutgoingMail.objects.all()}
    assert set(kinds) == {KNOWN, UNKNOWN}
    assert kinds[KNOWN] != kinds[UNKNOWN]


@pytest.mark.requirement("AC-11")
def test_signing_up_with_a_known_address_is_answered_as_with_a_new_one(hashes: list[str]) -> None:
    answers, costs = [], []
    for username, address in (("grace", KNOWN), ("hedy", UNKNOWN)):
        hashes.clear()
        answers.append(told(sign_up(username, address), username, address))
        costs.append(len(hashes))
    assert answers[0] == answers[1]
    assert answers[0][0] == 302
    assert costs[0] == costs[1]
    assert not User.objects.filter(username="grace").exists()
    assert User.objects.filter(username="hedy").exists()
    assert OutgoingMail.objects.filter(to=KNOWN).count() == 1
