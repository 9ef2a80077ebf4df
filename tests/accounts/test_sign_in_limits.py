"""Guessing passwords ends in 429, for known and unknown names alike."""

import pytest
from django.test import Client

from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["known", "nobody"])
def test_the_eleventh_wrong_password_is_429_with_a_wait(name: str, client: Client) -> None:
    factories.person("known")
    typed = {"login": name, "password": "wrong password 1"}
    answers = [client.post("/accounts/login/", typed).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]
    refused = client.post("/accounts/login/", typed)
    assert int(refused["Retry-After"]) > 0
    assert "rate_limited" in refused.text


def test_another_person_still_signs_in_meanwhile(client: Client) -> None:
    factories.person("known")
    other = factories.person("other")
    for _ in range(6):
        client.post("/accounts/login/", {"login": "known", "password": "wrong password 1"})
    done = client.post("/accounts/login/", {"login": "other", "password": factories.PASSWORD})
    assert done.status_code == 302
    assert client.session["_auth_user_id"] == str(other.pk)
