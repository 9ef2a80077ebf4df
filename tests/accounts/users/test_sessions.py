"""Password changes, sign-out and deactivation end sessions and tokens (TK and AC)."""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.api_tokens.models import ApiToken
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.users.models import User
from portal.middleware import signed_sessions
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

NEW = "another suite password 2"


def signed_in(username: str) -> Client:
    """Return a client that has signed in with the password."""
    client = Client()
    form = {"login": username, "password": factories.PASSWORD}
    assert client.post("/accounts/login/", form).status_code == 302
    return client


def is_signed_in(client: Client) -> bool:
    return client.get("/settings/tokens/").status_code == 200


def token_works(token: str) -> bool:
    headers = {"Authorization": f"Bearer {token}"}
    return Client().get("/api/whoami-v2", headers=headers).status_code == 200


def change_password(client: Client, **extra: str) -> Any:
    form = {"oldpassword": factories.PASSWORD, "password1": NEW, "password2": NEW}
    return client.post("/accounts/password/change/", {**form, **extra})


@pytest.mark.requirement("AC-12")
def test_signing_in_gives_the_session_a_new_id(client: Client, applicant: User) -> None:
    client.get("/accounts/login/")
    session = client.session
    session["planted"] = "by somebody who knows this id"
    session.save()
    before = str(session.session_key)
    assert signed_sessions.session_key_of(client.cookies["sessionid"].value) == before
    client.post("/accounts/login/", {"login": "applicant", "password": factories.PASSWORD})
    assert client.session.session_key != before
    assert not Session.objects.filter(session_key=before).exists()


@pytest.mark.requirement("AC-12")
def test_signing_out_ends_the_session_on_the_server(applicant: User) -> None:
    client = signed_in("applicant")
    stolen = Client()
    stolen.cookies["sessionid"] = client.cookies["sessionid"].value
    assert is_signed_in(stolen)
    client.post("/accounts/logout/")
    assert not is_signed_in(stolen)
    assert not Session.objects.exists()


def test_every_other_session_is_listed_and_ended_at_once(applicant: User) -> None:
    current, other = signed_in("applicant"), signed_in("applicant")
    assert current.get("/accounts/sessions/").text.count("<tr>") == 3  # with the header row
    current.post("/accounts/sessions/")
    assert is_signed_in(current)
    assert not is_signed_in(other)


def test_account_pages_look_like_all_others(applicant: User) -> None:
    client = signed_in("applicant")
    page = client.get("/accounts/email/").text
    assert "<h1>E-mail addresses</h1>" in page
    assert "Make primary" in page
    page = client.get("/accounts/password/change/").text
    assert "Current password </label>" in " ".join(page.split())
    assert "placeholder" not in page
    page = Client().get("/accounts/login/").text
    assert "Username or e-mail </label>" in " ".join(page.split())
    assert "Remember me" in page


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; like Mac OS X) Version/18.5 Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("", "Unknown browser"),
        ("<script>", "Unknown browser"),
    ],
)
def test_a_session_is_known_by_its_browser(user_agent: str, name: str, applicant: User) -> None:
    client = Client(headers={"User-Agent": user_agent})
    client.post("/accounts/login/", {"login": "applicant", "password": factories.PASSWORD})
    page = client.get("/accounts/sessions/").text
    assert name in page
    assert "this one" in page
    assert "<script>" not in page


@pytest.mark.requirement("AC-12")
def test_a_new_password_ends_all_other_sessions_and_tells_its_owner(applicant: User) -> None:
    current, other = signed_in("applicant"), signed_in("applicant")
    assert change_password(current).status_code == 302
    assert is_signed_in(current)
    assert not is_signed_in(other)
    mail = OutgoingMail.objects.get(kind="password_changed")
    assert (mail.to, mail.recipient) == (applicant.email, applicant)
    assert "/accounts/password/reset/" in mail.full_text
    assert "IP address" not in mail.text


@pytest.mark.requirement("AC-12")
def test_a_new_password_leaves_tokens_by_default(applicant: User) -> None:
    token = factories.token(applicant)
    client = signed_in("applicant")
    assert "Revoke my API tokens too" in client.get("/accounts/password/change/").text
    change_password(client)
    assert token_works(token)


def test_a_new_password_ends_the_tokens_if_requested(applicant: User) -> None:
    token = factories.token(applicant)
    change_password(signed_in("applicant"), revoke_tokens="on")
    assert not token_works(token)
    assert AuditEvent.objects.get(action="token.revoked").details == {"cause": "password_changed"}


def test_without_a_token_the_form_does_not_ask_about_them(applicant: User) -> None:
    page = signed_in("applicant").get("/accounts/password/change/").text
    assert "Revoke my API tokens" not in page


@pytest.mark.requirement("TK-9")
def test_a_reset_password_ends_tokens_and_sessions_at_the_next_request(
    client: Client, applicant: User
) -> None:
    token, elsewhere = factories.token(applicant), signed_in("applicant")
    assert token_works(token)
    client.post("/accounts/password/reset/", {"email": applicant.email})
    found = re.search(r"/accounts/password/reset/key/\S+", OutgoingMail.objects.get().full_text)
    assert found is not None
    form = client.get(found[0])["Location"]
    assert client.post(form, {"password1": NEW, "password2": NEW}).status_code == 302
    assert not token_works(token)
    assert not is_signed_in(elsewhere)
    assert not ApiToken.objects.active().exists()


@pytest.mark.requirement("TK-9", "GT-5")
def test_a_deactivated_account_opens_nothing_at_the_next_request(applicant: User) -> None:
    token, client = factories.token(applicant), signed_in("applicant")
    assert token_works(token)
    User.objects.filter(pk=applicant.pk).update(is_active=False)
    assert not token_works(token)
    assert not is_signed_in(client)
