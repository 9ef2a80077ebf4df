"""Sign-up returns to the page where it began, after the mail and the sign-in."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as portal_settings
from django.test import Client
from pytest_django import Settings

from accounts.mail.models import OutgoingMail
from accounts.tiers.models import Tier
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

FORM = {
    "username": "grace",
    "email": "grace@uni.example",
    "password1": factories.PASSWORD,
    "password2": factories.PASSWORD,
}


def confirmation_url(to: str = FORM["email"]) -> str:
    text = OutgoingMail.objects.filter(to=to).latest("pk").full_text
    found = re.search(r"https?://\S+/confirm-email/\S+", text)
    assert found is not None, text
    return found[0].removeprefix(portal_settings.PUBLIC_URL)


def confirm(client: Client, url: str) -> str:
    """Confirm the address as the page does; returns the path to which it leads."""
    hidden = re.search(r'name="next" value="([^"]*)"', client.get(url).text)
    data = {"next": hidden[1].replace("&amp;", "&")} if hidden else {}
    return client.post(urlsplit(url).path, data)["Location"]


def sign_in(client: Client, path: str) -> str:
    data = {"login": "grace", "password": factories.PASSWORD}
    data |= {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
    return client.post("/accounts/login/", data)["Location"]


def test_the_page_has_one_name(client: Client) -> None:
    page = client.get("/accounts/signup/").text
    assert re.findall(r"<(?:title|h1)>\s*(Sign ?up)\b", page) == ["Sign up", "Sign up"]


def test_somebody_who_signs_up_to_apply_comes_to_the_application(
    client: Client, gated_tier: Tier
) -> None:
    apply = f"/apply/{gated_tier.slug}/"
    page = client.get(apply).text
    assert f"/accounts/signup/?next={apply}" in page
    sent = client.post("/accounts/signup/", FORM | {"next": apply}, follow=True)
    assert f"/accounts/login/?next={apply.replace('/', '%2F')}" in sent.content.decode()
    # The mail is opened on a telephone.
    elsewhere = Client()
    sign_in_page = confirm(elsewhere, confirmation_url())
    assert sign_in_page.startswith("/accounts/login/?next=")
    assert sign_in(elsewhere, sign_in_page) == apply
    assert elsewhere.get(apply).status_code == 200


def test_a_confirmation_that_is_sent_again_at_a_sign_in_leads_on_too(client: Client) -> None:
    client.post("/accounts/signup/", FORM)
    OutgoingMail.objects.all().delete()
    data = {"login": "grace", "password": factories.PASSWORD, "next": "/access/"}
    client.post("/accounts/login/", data)
    assert sign_in(client, confirm(client, confirmation_url())) == "/access/"


@pytest.mark.parametrize("outside", ["https://evil.example/", "//evil.example/x", "javascript:x"])
def test_a_page_of_another_site_is_no_destination(client: Client, outside: str) -> None:
    sent = client.post("/accounts/signup/", FORM | {"next": outside})
    assert "evil" not in sent["Location"]
    assert "next=" not in confirmation_url()
    assert confirm(client, confirmation_url()) == "/accounts/login/"


def test_sign_up_answers_alike_for_an_address_that_has_an_account(client: Client) -> None:
    factories.person("ada", email=FORM["email"])
    known = client.post("/accounts/signup/", FORM | {"next": "/access/"})
    new = Client().post(
        "/accounts/signup/", FORM | {"email": "new@uni.example", "next": "/access/"}
    )
    assert (known.status_code, known["Location"]) == (new.status_code, new["Location"])


@pytest.mark.parametrize("leaves", [True, False])
def test_sign_up_says_whether_the_message_leaves(
    client: Client, settings: Settings, leaves: bool
) -> None:
    settings.MAIL_LEAVES = leaves
    page = client.post("/accounts/signup/", FORM, follow=True).text
    assert "email sent" not in page
    assert ("We have sent a message to grace@uni.example" in page) is leaves
    assert ("an administrator finds the message to grace@uni.example" in page) is not leaves
