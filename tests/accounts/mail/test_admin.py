"""The outbox in the admin shows messages, but no credentials of other people."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from accounts.mail import outbox
from accounts.mail.models import OutgoingMail
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

LIST = reverse("admin:accounts_outgoingmail_changelist")
State = OutgoingMail.State


def request_password_reset(client: Client, person: User) -> OutgoingMail:
    client.post("/accounts/password/reset/", {"email": person.email})
    mail = OutgoingMail.objects.get(kind="password_reset_key")
    assert "/accounts/password/reset/key/" in mail.secret
    assert mail.secret in mail.full_text
    return mail


def page_of(client: Client, mail: OutgoingMail, state: State) -> str:
    OutgoingMail.objects.filter(pk=mail.pk).update(state=state)
    answer = client.get(reverse("admin:accounts_outgoingmail_change", args=[mail.pk]))
    assert mail.subject in answer.text
    return answer.text


def test_a_queued_or_failed_mail_shows_no_live_link(
    client: Client, administrator: User, applicant: User
) -> None:
    mail = request_password_reset(client, applicant)
    client.force_login(administrator)
    for state in (State.QUEUED, State.FAILED):
        text = page_of(client, mail, state)
        assert mail.secret not in text
        assert OutgoingMail.HIDDEN in text
    assert client.get(LIST, {"secret__startswith": "http"}).status_code in {302, 400}
    assert client.get(LIST, {"text__contains": "reset"}).status_code in {302, 400}


def test_a_reset_link_is_redacted_once_sent(
    client: Client, administrator: User, applicant: User, settings: pytest.FixtureRequest
) -> None:
    mail = request_password_reset(client, applicant)
    settings.MAIL_LEAVES = True  # type: ignore[attr-defined]
    outbox.deliver(mail.pk)
    sent = OutgoingMail.objects.get(pk=mail.pk)
    assert (sent.state, sent.secret) == (State.SENT, "")
    assert mail.secret not in sent.text
    assert OutgoingMail.REDACTED in sent.text


def test_the_link_of_a_confirmation_is_a_secret_too(client: Client) -> None:
    form = {"username": "grace", "email": "grace@uni.example"}
    client.post(
        "/accounts/signup/",
        {**form, "password1": factories.PASSWORD, "password2": factories.PASSWORD},
    )
    mail = OutgoingMail.objects.get(to="grace@uni.example")
    assert "/accounts/confirm-email/" in mail.secret
    assert mail.secret in mail.full_text


def test_without_a_mail_server_those_who_may_change_the_account_see_its_links(
    client: Client, administrator: User, applicant: User
) -> None:
    root = factories.person("root", is_superuser=True, is_staff=True)
    mail = request_password_reset(client, applicant)
    client.force_login(administrator)
    assert mail.secret in page_of(client, mail, State.KEPT)
    OutgoingMail.objects.filter(pk=mail.pk).update(recipient=root)
    assert mail.secret not in page_of(client, mail, State.KEPT)


@pytest.mark.requirement("AD-11")
def test_where_acts_take_two_people_nobody_reads_the_links_of_staff(
    client: Client, administrator: User, reviewer: User, settings: Settings
) -> None:
    mail = request_password_reset(client, reviewer)
    client.force_login(administrator)
    settings.SINGLE_OPERATOR = False
    assert mail.secret not in page_of(client, mail, State.KEPT)
    settings.SINGLE_OPERATOR = True
    assert mail.secret in page_of(client, mail, State.KEPT)


def test_an_administrator_of_one_tier_reads_nobodys_mail(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    mail = request_password_reset(client, applicant)
    client.force_login(factories.staff("local", Role.ADMINISTRATOR, gated_tier))
    page = reverse("admin:accounts_outgoingmail_change", args=[mail.pk])
    assert {client.get(address).status_code for address in (LIST, page)} == {403}
