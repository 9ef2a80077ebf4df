"""Rate limits: which requests share a limit, and the response above it."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client, RequestFactory
from pytest_django import Settings

from accounts.api_tokens import token_format
from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import Limit
from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.middleware import rate_limits
from tests.portal.middleware.test_surface import ADDRESSES
from tests.support import factories
from tests.support.counters import away, spend
from weights.delivery import file_links, links, signed_claims
from weights.gate.caller import ANONYMOUS

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store"), pytest.mark.one_database]

FILE = "/acme/open/resolve/main/README.md"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make a limit small: the real ones would take thousands of requests to reach."""

    def shrink(name: str, quota: int) -> None:
        limit: Limit = getattr(rate_limits, name)
        # A bound made small, in the same window.
        monkeypatch.setattr(rate_limits, name, Limit(limit.name, quota, limit.window))

    return shrink


@pytest.fixture(autouse=True)
def _open_checkpoint(store: object) -> None:
    factories.published("acme/open")


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.requirement("AC-9")
def test_beyond_its_limit_an_address_gets_the_true_waiting_time(
    client: Client, small: Callable[..., None]
) -> None:
    small("DOWNLOADS_ANONYMOUS", 3)
    assert [client.head(FILE).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = client.get(FILE)
    wait = int(refused["Retry-After"])
    assert 95 <= wait <= 100  # one of three refills each hundred seconds
    assert refused["RateLimit"] == f'"resolve";r=0;t={wait}'
    assert re.fullmatch(r'"fixed window";"resolve";q=3;w=300', refused["RateLimit-Policy"])
    assert refused.json()["code"] == refused["X-Error-Code"] == "rate_limited"
    assert int(refused["Content-Length"]) == len(refused.content)


API = "/api/v1/checkpoints"


def address_key() -> str:
    """The key under which the test client's address is counted."""
    return rate_limits._address(RequestFactory().get("/"))


def at_the_edge(limit: Limit, key: str, ask: Callable[[], Any]) -> tuple[Any, Any]:
    """The answers to the last request within a limit and to one beyond it.

    Some buckets fill again as fast as a test asks, so three seconds' worth is taken between.
    """
    spend(limit, key, limit.quota - 1)
    within = ask()
    spend(limit, key, limit.quota + limit.quota // 100)
    return within, ask()


@pytest.mark.requirement("AC-6")
def test_the_601st_question_in_five_minutes_is_refused_and_a_token_has_ten_times_as_many(
    client: Client, applicant: User
) -> None:
    token = factories.token(applicant)

    def ask_with_it() -> Any:
        return client.get(API, headers=_bearer(token))

    assert (buckets.API_ANONYMOUS.quota, buckets.API_ANONYMOUS.window) == (600, 300)
    alone = at_the_edge(buckets.API_ANONYMOUS, address_key(), lambda: client.get(API))
    assert [answer.status_code for answer in alone] == [200, 429]
    by_token = at_the_edge(buckets.API_SIGNED_IN, token_format.digest(token), ask_with_it)
    assert [answer.status_code for answer in by_token] == [200, 429]
    assert by_token[1]["RateLimit-Policy"] == '"fixed window";"api";q=6000;w=300'
    assert client.head(FILE).status_code == 200, "files are counted by themselves"


@pytest.mark.requirement("AC-7")
def test_the_3001st_file_in_five_minutes_is_refused_and_a_token_or_link_has_four_times_as_many(
    client: Client, applicant: User, gated_tier: Tier
) -> None:
    token = factories.token(applicant)
    factories.published("acme/gated", gated_tier)
    factories.grant(applicant, gated_tier)
    folder = urlsplit(links.issue_now(applicant, "acme/gated", 1)).path
    claim = signed_claims.read_token(folder.split("/")[2], settings.LINK_KEYS)
    alone, known = buckets.DOWNLOADS_ANONYMOUS, buckets.DOWNLOADS_SIGNED_IN
    assert [(one.quota, one.window) for one in (alone, known)] == [(3000, 300), (12_000, 300)]
    for limit, key, path, headers in (
        (alone, address_key(), FILE, {}),
        (known, token_format.digest(token), FILE, _bearer(token)),
        (known, claim.digest, f"{folder}README.md", {}),
    ):
        answers = at_the_edge(limit, key, partial(client.head, path, headers=headers))
        assert [answer.status_code for answer in answers] == [200, 429], path


@pytest.mark.requirement("AC-7")
def test_each_token_has_its_own_limit(
    client: Client, small: Callable[..., None], applicant: User
) -> None:
    small("DOWNLOADS_ANONYMOUS", 1)
    client.head(FILE)
    assert client.head(FILE).status_code == 429
    assert client.head(FILE, headers=_bearer(factories.token(applicant))).status_code == 200


@pytest.mark.requirement("AC-5")
def test_wrong_tokens_are_bounded_and_a_valid_one_from_the_same_address_still_works(
    client: Client, small: Callable[..., None], applicant: User
) -> None:
    small("WRONG_TOKENS", 2)
    answers = [client.head(FILE, headers=_bearer(f"guess{n}")).status_code for n in range(4)]
    assert answers == [401, 401, 429, 429]
    assert client.head(FILE, headers=_bearer(factories.token(applicant))).status_code == 200
    assert client.head(FILE).status_code == 200


@pytest.mark.requirement("AC-5")
@pytest.mark.parametrize(
    "path",
    ["/nobody/resolve/x", "/datasets/a/b/resolve/main/x", "/spaces/a/b/resolve/main/x", FILE],
)
def test_wrong_tokens_are_counted_wherever_they_are_refused(
    client: Client, small: Callable[..., None], path: str
) -> None:
    small("WRONG_TOKENS", 2)
    answers = [client.get(path, headers=_bearer(forged())).status_code for _ in range(3)]
    assert answers == [401, 401, 429]


@pytest.mark.requirement("AC-5")
def test_all_addresses_of_one_network_of_ipv6_guess_together(
    client: Client, small: Callable[..., None]
) -> None:
    small("WRONG_TOKENS", 2)

    def guess(address: str) -> int:
        answer = client.head(FILE, headers=_bearer(forged()), REMOTE_ADDR=address)
        return answer.status_code

    assert [guess(f"2001:db8:0:1:{n}::{n}") for n in range(1, 4)] == [401, 401, 429]
    assert guess("2001:db8:0:2::1") == 401
    assert [guess(f"::ffff:192.0.2.{n}") for n in (1, 2, 3)] == [401, 401, 401]


def forged() -> str:
    """A well-formed token with a valid checksum that does not exist."""
    return token_format.new()


@pytest.mark.slow
@pytest.mark.requirement("AC-6")
def test_a_forged_token_has_no_separate_limit_at_any_address(
    client: Client, small: Callable[..., None]
) -> None:
    for name in ("API_ANONYMOUS", "DOWNLOADS_ANONYMOUS", "WRONG_TOKENS"):
        small(name, 1)
    asked = 0
    for path in ADDRESSES:
        for method in ("GET", "POST"):
            counted = rate_limits._bucket(RequestFactory().generic(method, path))
            if counted is None or counted.limit in {buckets.REPORTS, buckets.PROOFS}:
                continue
            answers = []
            for _ in range(2):
                headers = _bearer(forged())
                answers.append(client.generic(method, path, headers=headers).status_code)
            assert answers[1] == 429, (method, path, answers)
            asked += 1
    assert asked > 100


def test_a_good_token_is_not_counted_with_its_address(
    client: Client, small: Callable[..., None], applicant: User
) -> None:
    small("API_ANONYMOUS", 1)
    small("DOWNLOADS_ANONYMOUS", 1)
    sent = _bearer(factories.token(applicant))
    for path in (FILE, "/api/models/acme/open", "/api/models/acme/open/tree/main", API):
        assert {client.get(path, headers=sent).status_code for _ in range(3)} == {200}, path
    missing = "/acme/open/resolve/main/nothing.bin"
    assert {client.head(missing, headers=sent).status_code for _ in range(3)} == {404}


@pytest.mark.requirement("AC-7")
def test_a_signed_url_counts_as_authenticated_and_a_forged_one_as_anonymous(
    client: Client, small: Callable[..., None]
) -> None:
    small("DOWNLOADS_ANONYMOUS", 2)
    signed = file_links.issue(ANONYMOUS, "acme/open", "main", "README.md").removeprefix(
        settings.PUBLIC_URL
    )
    assert {client.head(signed).status_code for _ in range(4)} == {200}
    answers = [client.head(f"{signed}x", headers=_bearer(forged())).status_code for _ in range(3)]
    assert answers == [403, 403, 429]


@pytest.mark.requirement("AC-7")
def test_a_genuine_link_has_its_own_limit_and_a_guess_counts_for_its_address(
    client: Client, small: Callable[..., None], applicant: User, gated_tier: Tier
) -> None:
    small("DOWNLOADS_ANONYMOUS", 1)
    factories.published("acme/gated", gated_tier)
    factories.grant(applicant, gated_tier)
    folder = urlsplit(links.issue_now(applicant, "acme/gated", 1)).path
    assert {client.head(f"{folder}README.md").status_code for _ in range(5)} == {200}
    client.head("/d/guess/README.md")
    assert client.head("/d/guess/README.md").status_code == 429


def test_pages_are_not_counted(client: Client, small: Callable[..., None]) -> None:
    small("API_ANONYMOUS", 1)
    assert {client.get("/healthz").status_code for _ in range(3)} == {200}
    client.get("/api/models/acme/open")
    assert client.get("/api/models/acme/open").status_code == 429


@pytest.mark.requirement("AC-10")
def test_with_the_counters_gone_downloads_go_on_and_guesses_are_refused(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with away(settings):
        assert client.head(FILE).status_code == 200
        assert client.head(FILE, headers=_bearer("guess")).status_code == 429
    assert "does not answer" in caplog.text


@pytest.mark.requirement("AC-7")
def test_a_992_shard_download_never_trips_a_limit() -> None:
    requests = 2 * 992
    assert requests < buckets.DOWNLOADS_ANONYMOUS.quota
    assert requests * 5 < buckets.DOWNLOADS_SIGNED_IN.quota


@pytest.mark.requirement("AC-9")
def test_a_bucket_refills_evenly() -> None:
    limit = Limit("test", 10, 1)
    key = factories.word()
    verdicts = [buckets.take(limit, key) for _ in range(12)]
    assert sum(verdict.allowed for verdict in verdicts) in {10, 11}
    assert verdicts[0].remaining == 9
    assert verdicts[-1].wait == 1
