"""The tokens page."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories

pytestmark = pytest.mark.one_database

ADDRESS = "/settings/tokens/"


@pytest.fixture
def signed_in(client: Client, applicant: User) -> Client:
    client.force_login(applicant)
    return client


def create_token(client: Client, **changes: Any) -> Any:
    sent = {"name": "cluster", "scopes": ["read"], "repositories": "", "days": "90"}
    return client.post(ADDRESS, {**sent, **changes})


@pytest.mark.requirement("TK-1")
def test_a_token_is_shown_once(signed_in: Client, applicant: User) -> None:
    response = create_token(signed_in)
    token = ApiToken.objects.get(user=applicant)
    assert f"{token.last_four}</code>" in response.content.decode()
    assert "hf_wb" in response.content.decode()
    assert response["Cache-Control"] == "private, no-store"
    again = signed_in.get(ADDRESS).content.decode()
    assert "wb_" not in again
    assert "hf_" not in again
    assert token.last_four in again


def test_the_page_warns_of_a_client_without_the_endpoint(
    signed_in: Client, settings: Settings
) -> None:
    settings.PUBLIC_URL = "https://weights.example.org"
    page = signed_in.get(ADDRESS).content.decode()
    assert "HF_ENDPOINT=https://weights.example.org" in page
    assert "huggingface.co" in page


@pytest.mark.requirement("TK-1")
def test_the_plain_token_is_in_no_session(signed_in: Client) -> None:
    plain = create_token(signed_in).context["plain"]
    assert plain.startswith("hf_wb")
    assert plain not in str(dict(signed_in.session))


def test_a_holder_finds_read_gated_ticked(
    signed_in: Client, applicant: User, gated_tier: Tier
) -> None:
    def ticked() -> list[str]:
        return list(signed_in.get(ADDRESS).context["form"]["scopes"].value())

    assert ticked() == ["read"]
    factories.grant(applicant, gated_tier)
    assert ticked() == ["read", "read-gated"]


def test_scopes_beyond_the_persons_rights_are_not_offered(
    signed_in: Client, client: Client, release_owner: User
) -> None:
    assert create_token(signed_in, scopes=["write"]).status_code == 422
    assert not ApiToken.objects.exists()
    client.force_login(release_owner)
    assert create_token(client, scopes=["write"]).status_code == 200
    assert ApiToken.objects.get().scopes == ["read", "write"]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("name", "", "required"),
        ("scopes", [], "required"),
        ("days", "0", "greater than or equal to 1"),
        ("days", "366", "less than or equal to 365"),
        ("repositories", "no-slash", "write ORG/NAME"),
    ],
)
def test_a_fault_is_named_and_the_input_stays(
    signed_in: Client, key: str, value: object, message: str
) -> None:
    response = create_token(signed_in, **{"name": "my cluster", key: value})
    assert response.status_code == 422
    assert message in response.content.decode()
    assert key == "name" or 'value="my cluster"' in response.content.decode()


def test_a_token_may_be_limited_to_checkpoints(signed_in: Client) -> None:
    create_token(signed_in, scopes=["read-gated"], repositories="acme/one\nacme/two")
    assert ApiToken.objects.get().repositories == ["acme/one", "acme/two"]


@pytest.mark.requirement("WB-8")
def test_a_token_is_revoked_by_its_owner_alone(
    client: Client, applicant: User, other_person: User
) -> None:
    factories.token(applicant)
    token = ApiToken.objects.get()
    address = f"/settings/tokens/{token.public_id}/revoke/"
    client.force_login(other_person)
    assert client.post(address).status_code == 404
    client.force_login(applicant)
    assert client.get(address).status_code == 405
    client.post(address)
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert "Revoked" in client.get(ADDRESS).content.decode()


def test_a_tokens_name_is_shown_as_text(signed_in: Client) -> None:
    create_token(signed_in, name="<script>alert(1)</script>")
    assert "<script>alert" not in signed_in.get(ADDRESS).content.decode()
