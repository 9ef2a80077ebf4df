"""Contacts for vulnerability reports: /.well-known/security.txt (RFC 9116)."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from portal.settings import environment

pytestmark = pytest.mark.one_database

ADDRESS = "/.well-known/security.txt"


def fields(client: Client) -> list[tuple[str, str]]:
    answer = client.get(ADDRESS)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    lines = answer.content.decode().splitlines()
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


@pytest.mark.django_db
def test_the_contacts_are_listed_and_expire_within_a_year(
    client: Client, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.SECURITY_CONTACT = ["mailto:security@example.org", "https://example.org/report"]
    settings.SECURITY_POLICY_URL = "https://example.org/policy"
    with django_assert_num_queries(0):
        found = fields(client)
    assert [value for name, value in found if name == "Contact"] == settings.SECURITY_CONTACT
    told = dict(found)
    assert told["Policy"] == "https://example.org/policy"
    assert told["Canonical"] == f"{settings.PUBLIC_URL}{ADDRESS}"
    ends = datetime.strptime(told["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert timedelta(days=30) < ends - timezone.now() < timedelta(days=365)
    assert [name for name, _ in found].count("Expires") == 1


@pytest.mark.django_db
def test_without_a_contact_the_page_does_not_exist(client: Client, settings: Settings) -> None:
    settings.SECURITY_CONTACT = []
    assert client.get(ADDRESS).status_code == 404
    settings.SECURITY_CONTACT = ["mailto:security@example.org"]
    assert client.post(ADDRESS).status_code == 405


@pytest.mark.parametrize("value", ["security@example.org", "http://example.org", "mailto:nobody"])
def test_a_contact_of_another_form_is_refused_by_name(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECURITY_CONTACT", f"mailto:security@example.org, {value}")
    with pytest.raises(ImproperlyConfigured, match=r"^SECURITY_CONTACT: "):
        environment.contacts("SECURITY_CONTACT")


def test_several_contacts_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURITY_CONTACT", "https://example.org/report, mailto:a@example.org")
    assert environment.contacts("SECURITY_CONTACT") == [
        "https://example.org/report",
        "mailto:a@example.org",
    ]
    monkeypatch.setenv("SECURITY_CONTACT", "")
    assert environment.contacts("SECURITY_CONTACT") == []
