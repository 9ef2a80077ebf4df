"""CORS: pages of any origin can read open checkpoints, and nothing else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue.models import Checkpoint

pytestmark = pytest.mark.one_database

ADDRESSES = [
    "/acme/small/resolve/main/config.json",
    "/acme/small/resolve/main/absent.json",
    "/acme/small/resolve/nowhere/config.json",
    "/api/models/acme/small",
    "/api/models/acme/small/revision/main",
    "/api/models/acme/small/tree/main",
    "/api/models/acme/small/tree/main?expand=true",
    "/api/models/acme/small/refs",
    "/api/models/acme/small/commits/main",
]
PAGE = {"Origin": "https://app.example"}
PREFLIGHT = {**PAGE, "Access-Control-Request-Method": "GET"}
FILES = {"config.json": b'{"model_type": "opt"}\n'}


@pytest.fixture
def small(db: None, store: Path) -> Checkpoint:
    return factories.published("acme/small", files=FILES).checkpoint


def cors(response: Any) -> set[str]:
    return {name for name in response.headers if name.startswith("Access-Control-")}


@pytest.mark.requirement("HT-10")
@pytest.mark.parametrize("method", ["get", "head"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_every_page_may_read_an_open_checkpoint(
    client: Client, small: Checkpoint, address: str, method: str
) -> None:
    response = getattr(client, method)(address, headers=PAGE)
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "X-Repo-Commit" in response["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in response


@pytest.mark.parametrize("part", ["bytes=0-0", "bytes=2-", "bytes=999-"])
def test_parts_of_a_file_may_be_read_too(client: Client, small: Checkpoint, part: str) -> None:
    response = client.get(ADDRESSES[0], headers={**PAGE, "Range": part})
    assert response.status_code in {206, 416}
    assert response["Access-Control-Allow-Origin"] == "*"


def test_a_redirect_to_the_store_may_be_followed(client: Client, db: None, s3_store: str) -> None:
    factories.published("acme/small", files=FILES)
    response = client.get(ADDRESSES[0], headers=PAGE)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (302, "*")


def _gate(small: Checkpoint, tier: Tier) -> None:
    Checkpoint.objects.filter(pk=small.pk).update(tier=tier)


def _hide(small: Checkpoint, tier: Tier) -> None:
    Checkpoint.objects.filter(pk=small.pk).update(private=True)


def _embargo(small: Checkpoint, tier: Tier) -> None:
    later = timezone.now() + timedelta(days=1)
    Checkpoint.objects.filter(pk=small.pk).update(embargo_until=later)


@pytest.mark.requirement("HT-10")
@pytest.mark.parametrize("close", [_gate, _hide, _embargo])
@pytest.mark.parametrize("address", ADDRESSES)
def test_no_page_reads_a_gated_or_hidden_checkpoint(
    client: Client,
    small: Checkpoint,
    gated_tier: Tier,
    applicant: User,
    release_owner: User,
    address: str,
    close: Any,
) -> None:
    close(small, gated_tier)
    factories.grant(applicant, gated_tier)
    headers: list[dict[str, str]] = [{}]
    for person in (applicant, release_owner):
        headers.append({"Authorization": f"Bearer {factories.token(person, 'read-gated')}"})
    for sent in headers:
        assert cors(client.get(address, headers={**PAGE, **sent})) == set()
    client.force_login(release_owner)
    assert cors(client.get(address, headers=PAGE)) == set()
    assert cors(client.options(address, headers=PREFLIGHT)) == set()


@pytest.mark.requirement("HT-10")
def test_no_page_reads_with_a_token_or_a_session(
    client: Client, small: Checkpoint, applicant: User
) -> None:
    token = {"Authorization": f"Bearer {factories.token(applicant)}"}
    for address in ADDRESSES:
        assert cors(client.get(address, headers={**PAGE, **token})) == set()
    client.force_login(applicant)
    assert cors(client.get(ADDRESSES[0], headers=PAGE)) == set()


@pytest.mark.parametrize("address", [ADDRESSES[0], ADDRESSES[4]])
def test_a_preflight_allows_parts_and_no_credential(
    client: Client, small: Checkpoint, address: str
) -> None:
    asked = {**PREFLIGHT, "Access-Control-Request-Headers": "authorization, range"}
    response = client.options(address, headers=asked)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (204, "*")
    assert response["Access-Control-Allow-Methods"] == "GET, HEAD"
    allowed = response["Access-Control-Allow-Headers"].lower()
    assert "range" in allowed
    assert "authorization" not in allowed
    assert "*" not in allowed
    assert "Access-Control-Allow-Credentials" not in response


def test_a_preflight_does_not_reveal_what_exists(
    client: Client, small: Checkpoint, gated_tier: Tier
) -> None:
    factories.published("acme/gated", gated_tier)
    hidden = factories.published("acme/hidden").checkpoint
    Checkpoint.objects.filter(pk=hidden.pk).update(private=True)
    answers = [
        client.options(f"/acme/{name}/resolve/main/x", headers=PREFLIGHT)
        for name in ("gated", "hidden", "absent", "%00")
    ]
    assert {answer.status_code for answer in answers} == {204}
    assert len({frozenset(answer.headers) for answer in answers}) == 1
    assert cors(answers[0]) == set()


def test_options_without_a_page_stays_refused(client: Client, small: Checkpoint) -> None:
    response = client.options(ADDRESSES[0])
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")


def test_our_own_api_and_pages_are_read_by_no_other_page(client: Client, small: Checkpoint) -> None:
    for address in ("/", "/acme/small", "/api/v1/checkpoints", "/api/models", "/api/whoami-v2"):
        assert cors(client.get(address, headers=PAGE)) == set()
        assert cors(client.options(address, headers=PREFLIGHT)) == set()


def test_a_preflight_costs_one_query(
    client: Client, small: Checkpoint, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        client.options(ADDRESSES[0], headers=PREFLIGHT)
