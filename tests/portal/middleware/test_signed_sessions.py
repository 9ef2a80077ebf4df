"""A copy of the database contains no session cookie (AC-12)."""

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core.signing import Signer
from django.test import Client

from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
PAGE = "/settings/tokens/"


def signed_in() -> Client:
    client = Client()
    form = {"login": "applicant", "password": factories.PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def status_with(cookie: str) -> int:
    client = Client()
    client.cookies["sessionid"] = cookie
    return client.get(PAGE).status_code


@pytest.mark.requirement("AC-12")
def test_the_cookie_of_a_session_works_and_its_key_in_the_database_does_not(
    applicant: User,
) -> None:
    cookie = signed_in().cookies["sessionid"].value
    assert status_with(cookie) == 200
    stored = [Session.objects.get().session_key, UserSession.objects.get().session_key]
    for key in stored:
        assert status_with(key) == 302
        assert status_with(Signer(key="a guess", salt="portal.session_cookie").sign(key)) == 302
    assert cookie not in stored


def test_a_signature_of_another_purpose_or_session_is_refused(applicant: User) -> None:
    cookie = signed_in().cookies["sessionid"].value
    key = Session.objects.get().session_key
    other = signed_in().cookies["sessionid"].value
    assert status_with(Signer(salt="another purpose").sign(key)) == 302
    assert status_with(f"{key}:{other.partition(':')[2]}") == 302
    assert status_with(cookie[:-1]) == 302


def test_a_sign_out_deletes_the_cookie(applicant: User) -> None:
    client = signed_in()
    client.post("/accounts/logout/")
    assert client.cookies["sessionid"].value == ""
