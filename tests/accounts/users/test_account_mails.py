"""allauth's mails name the portal and link only to its configured origin."""

import re

import pytest
from django.conf import settings
from django.test import Client

from accounts.mail.models import OutgoingMail
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.one_database


def mail_to(to: str) -> OutgoingMail:
    return OutgoingMail.objects.get(to=to)


def sign_up(client: Client, **headers: str) -> None:
    client.post(
        "/accounts/signup/",
        {
            "username": "grace",
            "email": "grace@uni.example",
            "password1": factories.PASSWORD,
            "password2": factories.PASSWORD,
        },
        headers=headers,
    )


@pytest.mark.requirement("HT-3")
@pytest.mark.django_db
def test_a_confirmation_link_uses_the_configured_origin_whatever_the_host_header(
    client: Client,
) -> None:
    sign_up(client, Host="localhost:9")
    found = re.search(r"https?://\S+", mail_to("grace@uni.example").full_text)
    assert found is not None
    assert found[0].startswith(f"{settings.PUBLIC_URL}/accounts/confirm-email/")


@pytest.mark.django_db
def test_a_confirmation_says_who_sends_it(client: Client) -> None:
    sign_up(client)
    assert settings.SITE_NAME in mail_to("grace@uni.example").full_text


@pytest.mark.requirement("HT-3")
def test_a_password_reset_leads_to_the_configured_origin(client: Client, applicant: User) -> None:
    client.post(
        "/accounts/password/reset/", {"email": applicant.email}, headers={"Host": "localhost:9"}
    )
    addresses = re.findall(r"https?://\S+", mail_to(applicant.email).full_text)
    assert addresses
    assert all(address.startswith(settings.PUBLIC_URL) for address in addresses)


@pytest.mark.requirement("AC-11")
@pytest.mark.django_db
def test_a_reset_for_an_unknown_address_tells_only_that_address(client: Client) -> None:
    known = factories.person("known")
    responses = [
        client.post("/accounts/password/reset/", {"email": address})
        for address in ("nobody@example.org", known.email)
    ]
    assert responses[0].status_code == responses[1].status_code == 302
    assert responses[0]["Location"] == responses[1]["Location"]
    assert settings.PUBLIC_URL in mail_to("nobody@example.org").full_text
