"""Methods, bodies, cookies and headers at every URL (docs/requirements.md, HT and WB)."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.test.client import ClientHandler
from django.urls import Resolver404, resolve
from pytest_django import DjangoDbBlocker

from accounts.users.models import User
from tests.support import factories
from tests.support.http.routes import ROUTES, Route, one_spelling
from tests.weights.hub_api.test_nonsense import environ
from weights.api.api import api

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

#: Values of URL parameters: no record has these names.
FILLED = {
    "public_id": "6f1a0f6e-7f43-4a3c-9a55-2f3d5b1a9c11",
    "mail_id": "6f1a0f6e-7f43-4a3c-9a55-2f3d5b1a9c12",
    "sha": "0" * 40,
    "sha256": "0" * 64,
    "kind": "datasets",
    "standing": "pending",
    "step": "you",
}


def address(route: Route) -> str:
    """One address of the route."""
    return re.sub(r"<(\w+)>", lambda found: FILLED.get(found[1], "1"), one_spelling(route.address))


ADDRESSES = sorted({address(route) for route in ROUTES})
OF_PEOPLE = [one for one in ADDRESSES if not one.startswith("/api") and ".git/" not in one]
#: Pages whose answer is the same for everybody, or an error; each has the headers of a page.
PAGES = [
    *("/", "/models", "/acme/open", "/acme/open/tree/main", "/acme/open/blob/main/config.json"),
    *("/licences/", "/tiers/", "/transparency/", "/privacy/", "/keys/", "/recalls/", "/report/"),
    *("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/admin/login/"),
    *("/no/such/page", "/no/such/page/at/all", "/api/v1/docs", "/healthz"),
]
PERSONAL = [
    *("/access/", "/access/data/", "/applications/", "/settings/tokens/", "/settings/erase/"),
    *("/accounts/email/", "/accounts/2fa/", "/accounts/sessions/", "/accounts/password/change/"),
    *("/accounts/logout/", "/apply/opt-175b/", "/", "/models", "/acme/open", "/tiers/"),
    *("/no/such/page/at/all", "/acme/open/resolve/main/config.json"),
]


@pytest.fixture(scope="module", autouse=True)
def _checkpoints(shared_setup: DjangoDbBlocker) -> None:
    with shared_setup.unblock():
        factories.published("acme/open")
        factories.published("acme/gated", factories.tier("opt-175b"))


# -- methods -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.requirement("HT-1")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
def test_a_method_that_nothing_takes_is_405_at_every_address(
    method: str, administrator: User
) -> None:
    """Also for callers who may open the page: TRACE would return cookies and tokens."""
    client = Client()
    client.force_login(administrator)
    for one in ADDRESSES if method == "TRACE" else PAGES:
        answer = client.generic(method, one)
        if answer.status_code == 404 and one.startswith("/api"):
            continue  # no address of the API, which takes no method at all
        assert answer.status_code == 405, one
        assert {"GET", "POST", "DELETE", "PUT"} & set(answer["Allow"].split(", ")), one
        assert "TRACE" not in answer["Allow"], one


@pytest.mark.slow
@pytest.mark.requirement("HT-1")
def test_a_page_is_read_and_its_form_is_posted_and_nothing_else(client: Client) -> None:
    for one in OF_PEOPLE:
        for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
            assert client.generic(method, one).status_code == 405, f"{method} {one}"


@pytest.mark.slow
@pytest.mark.requirement("HT-1")
def test_an_operation_takes_the_methods_of_its_document_and_no_other(client: Client) -> None:
    for path, operations in api.get_openapi_schema()["paths"].items():
        taken = {method.upper() for method in operations}
        taken |= {"HEAD"} if "GET" in taken else set()
        one = re.sub(r"{(\w+)}", lambda found: FILLED.get(found[1], "1"), path)
        for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - taken:
            answer = client.generic(method, one)
            assert answer.status_code == 405, f"{method} {one}"
            assert {word.strip() for word in answer["Allow"].split(",")} == taken, one


# -- hosts and origins ---------------------------------------------------------------------


@pytest.mark.requirement("HT-2")
def test_an_unknown_host_is_400_at_every_address(client: Client) -> None:
    first_parts = {one.split("/")[1]: one for one in ADDRESSES}
    for one in [*first_parts.values(), "/static/css/base.css", "/favicon.ico"]:
        assert client.get(one, headers={"Host": "evil.example"}).status_code == 400, one


@pytest.mark.requirement("HT-2", "HT-4")
def test_a_forwarded_host_is_not_trusted(client: Client) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "testserver"}
    assert client.get("/models", headers=headers).status_code == 400
    page = client.get("/models", headers={"X-Forwarded-Host": "evil.example"})
    assert page.status_code == 200
    assert "evil.example" not in page.text


@pytest.mark.slow
@pytest.mark.requirement("HT-3")
def test_no_response_names_the_requested_host(client: Client) -> None:
    """Absolute addresses come from the configured origin alone."""
    client.force_login(User.objects.create_user("reader", "reader@example.org", "x"))
    for one in [*PAGES, *PERSONAL, "/api/models/acme/open", "/api/v1/checkpoints"]:
        answer = client.get(one, headers={"Host": "localhost:9"})
        told = [answer.headers.get("Location", ""), answer.headers.get("Link", "")]
        body = b"".join(answer) if answer.streaming else answer.content
        assert "localhost:9" not in " ".join(told), one
        assert b"localhost:9" not in body, one


# -- paths ---------------------------------------------------------------------------------


@pytest.mark.requirement("HT-5")
@pytest.mark.parametrize(
    "path",
    [
        *(b"%2563onfig.json", b"config.json%00", b"%00", b"config%5C.json", b"..%5Cconfig.json"),
        *(b"./config.json", b"../open/config.json", b"a/../config.json", b"a//config.json"),
        *(b"%2e/config.json", b"%2e%2e/config.json", b"/config.json", b"config.json/"),
        *(b"config.json%0a", b"%0dconfig.json", b"config.json%7f", b"CONFIG.JSON"),
        *(b"cafe%CC%81.json", b"%C3%28", b"%ED%A0%80", b"c%6fnfig.json%20", b"x" * 1025),
    ],
)
def test_a_file_has_one_url_and_every_other_spelling_is_404(path: bytes) -> None:
    files = {"config.json": b"{}", "caf\u00e9.json": b"{}", "open/config.json": b"{}"}
    factories.published("acme/cafe", files=files)
    for door in (b"acme/cafe/resolve/main/", b"acme/cafe/blob/main/", b"acme/cafe/tree/main/"):
        asked = environ("GET", b"/" + door + path, "", b"")
        answer = ClientHandler()(asked)
        assert answer.status_code in {400, 404}, door


@pytest.mark.requirement("HT-5")
def test_the_one_spelling_may_be_percent_encoded_once(client: Client) -> None:
    factories.published("acme/cafe", files={"café 1.json": b"{}"})
    asked = environ("GET", b"/acme/cafe/resolve/main/caf%C3%A9%201%2Ejson", "", b"")
    assert b"".join(ClientHandler()(asked)) == b"{}"


# -- bodies --------------------------------------------------------------------------------

#: What is wrong with a body of JSON, and the answer.
BODIES: dict[str, tuple[bytes, str, int, str]] = {
    "a form": (b"user=x", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    "no type": (b"{}", "", 415, "unsupported_media_type"),
    "text": (b"{}", "text/plain", 415, "unsupported_media_type"),
    "1 MiB and a byte": (b" " * (2**20 + 1), "application/json", 413, "body_too_large"),
    "33 levels": (b"[" * 33 + b"]" * 33, "application/json", 400, "body_too_deep"),
    "levels without end": (b"[" * 100_000, "application/json", 400, "body_too_deep"),
    "1001 items": (
        json.dumps(list(range(1001))).encode(),
        "application/json",
        400,
        "body_too_long",
    ),
    "Latin-1": (b'{"user": "\xe9"}', "application/json", 400, "body_not_utf8"),
    "half a pair": (b'{"user": "\\ud800"}', "application/json", 400, "body_not_utf8"),
    "NUL": (b'{"user": "\\u0000"}', "application/json", 400, "body_not_utf8"),
    "NaN": (b'{"user": NaN}', "application/json", 400, "body_not_json"),
    "infinity": (b'{"user": -Infinity}', "application/json", 400, "body_not_json"),
    "beyond a double": (b'{"user": 1e999}', "application/json", 400, "body_not_json"),
    "5000 digits": (b'{"user": %s}' % (b"9" * 5000), "application/json", 400, "body_not_json"),
    "half of it": (b'{"user": ', "application/json", 400, "body_not_json"),
}
TAKE_JSON = [
    "/api/v1/links",
    "/api/v1/file-links",
    "/api/v1/applications",
    "/api/models/acme/gated/user-access-request/handle",
    "/api/models/acme/gated/user-access-request/grant",
    "/api/credentials/revoke",
]


@pytest.mark.requirement("HT-7", "HT-9")
@pytest.mark.parametrize("fault", BODIES)
def test_json_beyond_its_bounds_is_refused_wherever_json_is_taken(
    fault: str, client: Client, lead_reviewer: User
) -> None:
    body, kind, status, code = BODIES[fault]
    headers = {"Authorization": f"Bearer {factories.token(lead_reviewer, 'admin', 'read-gated')}"}
    for one in TAKE_JSON:
        answer = client.generic("POST", one, body, content_type=kind, headers=headers)
        assert (answer.status_code, answer["X-Error-Code"]) == (status, code), one
        assert answer.json()["code"] == code


@pytest.mark.requirement("HT-7")
def test_a_compressed_body_is_refused_at_every_address(client: Client) -> None:
    for one in ADDRESSES:
        answer = client.post(one, {"a": "b"}, headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, answer["X-Error-Code"]) == (415, "unsupported_media_type"), one


@pytest.mark.requirement("HT-7")
def test_a_form_beyond_1_mib_is_refused(client: Client) -> None:
    answer = client.post("/accounts/login/", {"login": "x" * 2**20, "password": "y"})
    assert answer.status_code in {400, 413}


#: Which the Hub's clients choose their exception by.
HUB_WORDS = {"RepoNotFound", "RevisionNotFound", "EntryNotFound", "GatedRepo"}


@pytest.mark.slow
@pytest.mark.requirement("HT-9")
def test_every_refusal_below_api_is_json_with_its_code(client: Client) -> None:
    for one in [address for address in ADDRESSES if address.startswith("/api")]:
        for method in ("GET", "POST", "DELETE", "TRACE"):
            answer = client.generic(method, one, headers={"Accept": "text/html"})
            if answer.status_code < 400:
                continue
            assert answer["Content-Type"].startswith(("application/json", "application/problem"))
            assert answer.json()["code"], f"{method} {one}"
            assert answer["X-Error-Code"] in {*HUB_WORDS, answer.json()["code"]}, f"{method} {one}"


# -- headers -------------------------------------------------------------------------------

POLICY = {
    "default-src 'self'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "form-action 'self'",
}


@pytest.mark.slow
@pytest.mark.requirement("WB-1")
def test_every_page_carries_the_headers_of_a_page(client: Client, administrator: User) -> None:
    for signed_in in (False, True):
        if signed_in:
            client.force_login(administrator)
        for one in [*PAGES, *PERSONAL, "/admin/", "/admin/accounts/application/"]:
            assert_headers_of_a_page(client.get(one), one)


def assert_headers_of_a_page(answer: Any, asked: str) -> None:
    policy = {part.strip() for part in answer["Content-Security-Policy"].split(";")}
    assert policy - {""} == POLICY, asked
    assert answer["X-Content-Type-Options"] == "nosniff", asked
    assert answer["X-Frame-Options"] == "DENY", asked
    assert answer["Referrer-Policy"] in {"same-origin", "no-referrer"}, asked
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin", asked


@pytest.mark.requirement("WB-1")
def test_refusals_from_beside_the_views_carry_them_too(client: Client) -> None:
    for answer in (
        client.get("/models", headers={"Host": "evil.example"}),
        client.generic("TRACE", "/models"),
        client.post("/accounts/login/", headers={"Content-Encoding": "gzip"}),
        Client(enforce_csrf_checks=True).post("/accounts/login/"),
    ):
        assert answer.status_code >= 400
        assert_headers_of_a_page(answer, str(answer.status_code))


@pytest.mark.slow
@pytest.mark.requirement("WB-4")
def test_no_other_origin_may_read_an_answer(client: Client, applicant: User) -> None:
    client.force_login(applicant)
    token = factories.token(applicant, "read-gated")
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for one in [*PAGES, *PERSONAL, *TAKE_JSON, "/api/whoami-v2", "/api/v1/checkpoints"]:
        for headers in (asked, asked | {"Authorization": f"Bearer {token}"}):
            for method in ("GET", "OPTIONS"):
                if method == "OPTIONS" and "/resolve/" in one:
                    continue  # browsers send no credentials here, and the answer admits none
                told = client.generic(method, one, headers=headers).headers
                assert not [name for name in told if name.startswith("Access-Control")], one


@pytest.mark.slow
@pytest.mark.requirement("WB-5")
def test_personal_responses_are_not_cached(client: Client, applicant: User) -> None:
    client.force_login(applicant)
    for one in [*PERSONAL, *OF_PEOPLE]:
        answer = client.get(one)
        looked = getattr(getattr(answer.wsgi_request, "session", None), "accessed", False)
        kept = answer.headers.get("Cache-Control", "")
        assert "no-store" in kept or not looked, f"{one}: {answer.status_code} {kept!r}"
        client.force_login(applicant)  # the walk comes by the page that signs out


@pytest.mark.slow
@pytest.mark.requirement("WB-5")
def test_responses_to_a_token_are_not_cached(client: Client, applicant: User) -> None:
    headers = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    asked = [one for one in ADDRESSES if one.startswith("/api")]
    model = "/api/models/acme/open"
    asked += [model, f"{model}/tree/main", f"{model}/refs", f"{model}/commits/main"]
    asked += ["/api/whoami-v2", "/api/models", "/acme/open/resolve/main/config.json"]
    for one in asked:
        answer = client.get(one, headers=headers)
        assert answer["Cache-Control"] in {"private, no-store", "no-store"}, one


# -- changes of state ----------------------------------------------------------------------


def posted(client: Client) -> Iterator[tuple[str, int]]:
    for one in ADDRESSES:
        yield one, client.post(one).status_code


@pytest.mark.slow
@pytest.mark.requirement("WB-6")
def test_no_form_is_taken_from_a_session_without_its_proof(administrator: User) -> None:
    """Every route that accepts POST returns 403; to scripts' routes a session is anonymous."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(administrator)
    for one, status in posted(client):
        # Anybody's; no cookie is looked at, and telemetry is dropped unread.
        if one in {"/api/credentials/revoke", "/v1/telemetry"}:
            continue
        is_of_scripts = one.startswith("/api") or ".git/" in one
        refusals = {400, 401, 403, 404, 405, 415} if is_of_scripts else {403, 404, 405}
        assert status in refusals, one


@pytest.mark.requirement("WB-6")
def test_a_token_and_a_cookie_together_are_the_token_alone(
    client: Client, applicant: User, administrator: User
) -> None:
    client.force_login(administrator)
    headers = {"Authorization": f"Bearer {factories.token(applicant)}"}
    assert client.get("/api/whoami-v2", headers=headers).json()["name"] == applicant.username


@pytest.mark.requirement("WB-7")
@pytest.mark.parametrize(
    "where",
    [
        *("https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example"),
        *("\\\\evil.example", "http:evil.example", "https:///evil.example", "javascript:alert(1)"),
        *(" https://evil.example", "/\t/evil.example", "data:text/html,x", "ftp://testserver/"),
        *("https://testserver@evil.example/", "https://testserver.evil.example/"),
    ],
)
def test_next_accepts_only_own_urls(where: str, client: Client) -> None:
    factories.person("known")
    typed = {"login": "known", "password": factories.PASSWORD, "next": where}
    signed_in = client.post("/accounts/login/", typed)
    assert signed_in.status_code == 302
    assert signed_in["Location"] == "/access/"
    again = client.post(f"/accounts/login/?{where}", {"next": where})
    assert_stays(again)
    typed = {"password": factories.PASSWORD, "next": where}
    assert_stays(client.post("/accounts/reauthenticate/", typed))
    assert_stays(client.post("/accounts/logout/", {"next": where}))


def assert_stays(answer: Any) -> None:
    assert answer.status_code == 302
    assert re.match(r"/(?![/\\])", answer["Location"]), answer["Location"]
    assert "evil" not in answer["Location"].partition("?")[0]


@pytest.mark.requirement("WB-7")
def test_next_is_followed_if_it_is_an_own_url(client: Client) -> None:
    factories.person("known")
    typed = {"login": "known", "password": factories.PASSWORD, "next": "/tiers/?a=1"}
    assert client.post("/accounts/login/", typed)["Location"] == "/tiers/?a=1"


def test_every_address_of_the_walk_leads_to_a_view() -> None:
    """Else what is walked above would only be 404."""
    lost = []
    for one in ADDRESSES:
        try:
            resolve(one)
        except Resolver404:
            lost.append(one)
    assert lost == []
