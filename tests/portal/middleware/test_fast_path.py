"""The scripts' fast path: the same responses as the full path, and never another identity."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.test import Client

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights import gate
from weights.delivery import links
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store"), pytest.mark.one_database]

FILE = "/acme/gated/resolve/main/README.md"
#: Sends a request through the full path; the session is anonymous.
COOKIE = {"Cookie": f"{settings.SESSION_COOKIE_NAME}=none"}
#: Headers that differ between requests; and Vary, if the session was accessed.
OWN = {"X-Request-Id", "Vary"}


@pytest.fixture
def holder(applicant: User, gated_tier: Tier) -> User:
    factories.grant(applicant, gated_tier)
    return applicant


@pytest.fixture(autouse=True)
def gated(gated_tier: Tier, store: object) -> Revision:
    factories.published("acme/open")
    return factories.published("acme/gated", gated_tier)


def _bearer(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {factories.token(user, 'read-gated')}"}


def _took_the_short_way(response: Any) -> bool:
    return not hasattr(response.wsgi_request, "session")


def _link(holder: User) -> str:
    return urlsplit(links.issue_now(holder, "acme/gated", 1)).path


ADDRESSES: dict[str, Callable[[User], str]] = {
    "file": lambda _: FILE,
    "open file": lambda _: "/acme/open/resolve/main/README.md",
    "missing file": lambda _: "/acme/open/resolve/main/none",
    "no checkpoint": lambda _: "/acme/none/resolve/main/none",
    "tree": lambda _: "/api/models/acme/open/tree/main",
    "missing tree": lambda _: "/api/models/acme/open/tree/none",
    "revision": lambda _: "/api/models/acme/gated/revision/main",
    "altered file link": lambda _: "/f/acme/gated/0123/README.md?e=1",
    "link": lambda holder: f"{_link(holder)}README.md",
    "list of a link": lambda holder: f"{_link(holder)}SHA256SUMS",
    "unknown link": lambda _: "/d/guess/README.md",
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_both_paths_return_the_same_headers_and_body(
    name: str, client: Client, holder: User
) -> None:
    address = ADDRESSES[name](holder)
    short, long = client.get(address), client.get(address, headers=COOKIE)
    assert _took_the_short_way(short)
    assert not _took_the_short_way(long)
    assert short.status_code == long.status_code
    told = [
        {key: value for key, value in one.headers.items() if key not in OWN}
        for one in (short, long)
    ]
    assert told[0] == told[1]
    assert short.getvalue() == long.getvalue()
    head = client.head(address)
    assert head["Content-Length"] == short["Content-Length"]
    assert head.content == b""
    for wanted in ("Content-Security-Policy", "X-Frame-Options", "X-Content-Type-Options"):
        assert head[wanted] == long[wanted]
    assert head["Referrer-Policy"]
    assert head["X-Request-Id"]


def test_a_browser_downloads_by_its_session(client: Client, holder: User) -> None:
    assert client.get(FILE).status_code == 401
    client.force_login(holder)
    got = client.get(FILE)
    assert got.status_code == 200
    assert got["Cache-Control"] == "private, no-store"


@pytest.mark.requirement("GT-5")
def test_each_request_is_decided_for_its_own_caller(
    client: Client, holder: User, other_person: User
) -> None:
    known, stranger = _bearer(holder), _bearer(other_person)
    asked = [known, {}, stranger, known, {"Authorization": "Bearer no"}, {}, stranger]
    answers = [client.head(FILE, headers=headers).status_code for headers in asked]
    assert answers == [200, 401, 403, 200, 401, 401, 403]


def test_a_forged_cookie_makes_the_caller_anonymous(client: Client) -> None:
    answer = client.get(FILE, headers=COOKIE)
    assert answer.status_code == 401
    assert not _took_the_short_way(answer)


def test_a_request_for_html_does_not_take_the_fast_path(client: Client) -> None:
    assert not _took_the_short_way(client.get(FILE, headers={"Accept": "text/html,*/*"}))


def test_an_unknown_host_and_another_method_are_refused(client: Client, holder: User) -> None:
    assert client.get(FILE, headers={"Host": "evil.example"}).status_code == 400
    assert client.post(FILE, headers=_bearer(holder)).status_code == 405


def test_a_fault_is_a_500_with_the_policy_headers(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault, since no real one is known")

    # No real request makes this fail, so the test injects the fault.
    monkeypatch.setattr(gate, "decide", fail)
    client.raise_request_exception = False
    answer = client.get(FILE)
    assert answer.status_code == 500
    assert answer["X-Request-Id"]
    assert answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
