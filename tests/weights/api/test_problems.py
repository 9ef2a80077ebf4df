"""Every error below /api/v1/ is a problem (RFC 9457)."""

import json
from typing import Any

import pytest
from django.test import Client

from accounts.api_tokens.models import ApiToken
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ROOT, ApiClient, problem
from weights.api.error_codes import ERROR_CODES
from weights.gate import Decision
from weights.gate.refusals import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]
LIMIT = 1024 * 1024


def test_every_code_of_the_gate_is_explained_with_its_status() -> None:
    for code in Refusal:
        assert ERROR_CODES[code].status == Decision(code=code).status
    payload = {one["code"]: one for one in ApiClient().get("/problems")}
    assert set(payload) == set(ERROR_CODES)
    assert ApiClient().get("/problems/quota") == payload["quota"]
    assert ApiClient().get("/problems/none", 404)["code"] == "code_not_found"


def test_a_problem_leads_to_its_explanation() -> None:
    payload = ApiClient().get("/links", 401)
    explained = ApiClient().get(payload["type"].partition(ROOT)[2])
    assert (explained["code"], explained["title"]) == (payload["code"], payload["title"])
    assert payload["instance"] == f"{ROOT}/links"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/none",
        "/links/",
        "/links/5",
        "/applications/5/x",
        "/a%00b",
        "//",
    ],
)
def test_an_unknown_address_is_a_problem(path: str) -> None:
    for method in ("GET", "POST"):
        response = ApiClient().send(method, path)
        assert response.status_code == 404
        assert problem(response)["code"] == "not_found"


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/checkpoints", "/links", "/openapi.json", "/docs"])
def test_a_wrong_method_is_a_problem(method: str, path: str) -> None:
    response = ApiClient().send(method, path)
    assert response.status_code == 405
    assert "GET" in response["Allow"]
    assert problem(response)["code"] == "method_not_allowed"


def test_head_is_answered_as_get_without_its_body(applicant: User) -> None:
    for path in ("/checkpoints", "/problems", "/grants", "/none", "/links/x", "/openapi.json"):
        for script in (ApiClient(), ApiClient(applicant)):
            got, head = script.send("GET", path), script.send("HEAD", path)
            assert head.status_code == got.status_code
            assert head.content == b""
            assert int(head["Content-Length"]) == len(got.content)
            assert head["Content-Type"] == got["Content-Type"]


@pytest.mark.requirement("GT-8")
def test_an_invalid_token_opens_nothing_not_even_what_is_public(applicant: User) -> None:
    good = ApiClient(applicant).headers["Authorization"]
    revoked = ApiClient(applicant).headers["Authorization"]
    last = ApiToken.objects.latest("created_at")
    last.revoke(by=applicant)
    for bad in (
        f"{good}x",
        good.lower(),
        "Bearer",
        "Basic dXNlcjpwYXNz",
        revoked,
        f"{good}, {good}",
    ):
        for path in ("/checkpoints", "/links", "/problems"):
            response = ApiClient().send("GET", path, Authorization=bad)
            assert response.status_code == 401
            assert problem(response)["code"] == "token_invalid"


def test_an_expired_token_says_so(applicant: User) -> None:
    script = ApiClient(applicant, "read-gated")
    ApiToken.objects.update(expires_at="2020-01-01T00:00:00Z")
    assert script.get("/grants", 401)["code"] == "token_expired"


# -- bodies -----------------------------------------------------------------------------


def post(applicant: User, body: bytes, kind: str = "application/json", **headers: str) -> Any:
    response = Client().post(
        f"{ROOT}/applications",
        body,
        content_type=kind,
        headers=ApiClient(applicant, "read-gated").headers | headers,
    )
    return response.status_code, problem(response)["code"]


@pytest.mark.requirement("HT-7")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "body_not_json"),
        (b'{"tier": NaN}', 400, "body_not_json"),
        (b'{"tier": -Infinity}', 400, "body_not_json"),
        (b'{"tier": "\xff"}', 400, "body_not_utf8"),
        ('{"tier": "x"}'.encode("utf-16"), 400, "body_not_utf8"),
        (b'{"tier": "\\u0000"}', 400, "body_not_utf8"),
        (b'{"tier": "\\ud800"}', 400, "body_not_utf8"),
        (b'{"\\u0000": 1}', 400, "body_not_utf8"),
        (b"[" * 33 + b"]" * 33, 400, "body_too_deep"),
        (b"[" * 200_000, 400, "body_too_deep"),
        (b"[" + b"0," * 1000 + b"0]", 400, "body_too_long"),
        (b'{"tier": ' + b"9" * 5000 + b"}", 400, "body_not_json"),
        (b"", 422, "invalid_request"),
        (b"null", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b"[" * 32 + b"]" * 32, 422, "invalid_request"),
        (b'{"tier": 5}', 422, "invalid_request"),
        (b'{"tier": "a", "more": 1}', 422, "invalid_request"),
        (b'{"tier": "%s"}' % (b"x" * 51), 422, "invalid_request"),
        (b" " * (LIMIT + 1), 413, "body_too_large"),
    ],
)
def test_a_body_beyond_its_bounds_is_a_problem(
    applicant: User, body: bytes, status: int, code: str
) -> None:
    assert post(applicant, body) == (status, code)


def test_a_body_with_nul_is_refused_in_plain_words(applicant: User) -> None:
    headers = ApiClient(applicant, "read-gated").headers
    kind, body = "application/json", b'{"tier": "\\u0000"}'
    response = Client().post(f"{ROOT}/applications", body, content_type=kind, headers=headers)
    assert problem(response)["detail"] == "The body contains NUL or an unpaired surrogate."


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "json"]
)
def test_only_json_is_accepted(applicant: User, kind: str) -> None:
    assert post(applicant, b'{"tier": "x"}', kind) == (415, "unsupported_media_type")


def test_a_compressed_body_is_refused(applicant: User) -> None:
    answer = post(applicant, b'{"tier": "x"}', **{"Content-Encoding": "gzip"})
    assert answer == (415, "unsupported_media_type")


def test_charset_is_no_other_type(applicant: User) -> None:
    kind = "application/json; charset=utf-8"
    assert post(applicant, b'{"tier": "x"}', kind) == (404, "tier_not_found")


# -- refusals from beside the API -------------------------------------------------------


def test_an_unknown_host_is_a_problem() -> None:
    response: Any = Client().get(f"{ROOT}/checkpoints", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert problem(response)["code"] == "bad_request"


def test_a_rate_limit_is_a_problem_that_keeps_its_headers() -> None:
    bad = {"Authorization": "Bearer nothing"}
    for _ in range(300):  # 30, and those that refill meanwhile on a busy machine
        response = ApiClient().send("GET", "/checkpoints", **bad)
        if response.status_code == 429:
            break
    assert response.status_code == 429
    assert problem(response)["code"] == "rate_limited"
    assert int(response["Retry-After"]) > 0


@pytest.mark.requirement("HT-6")
def test_a_failure_is_a_problem_without_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("the cause")

    # A fault that no operation is known to have.
    monkeypatch.setattr("weights.api.routers.error_codes._error_code", fail)
    response: Any = Client(raise_request_exception=False).get(f"{ROOT}/problems")
    assert response.status_code == 500
    assert problem(response)["code"] == "internal_error"
    assert "the cause" not in response.content.decode()


def test_addresses_in_problems_are_plain_text() -> None:
    response = ApiClient().send("GET", "/%22%3Cscript%3E%0d%0aX:1")
    assert json.loads(response.content)["instance"].isascii()
    assert "X" not in response.headers


def test_the_hub_api_keeps_the_hubs_wording() -> None:
    response: Any = Client().get("/api/v10/checkpoints")
    assert response["Content-Type"] == "application/json"
    assert factories.word() not in response.content.decode()
