"""For any input, an operation returns a status that its document lists."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from accounts.applications.workflow import submission
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.weights.api.client import ApiClient, problem
from weights.api.api import api
from weights.delivery.models import CheckpointLink

pytestmark = [pytest.mark.django_db, pytest.mark.one_database, pytest.mark.slow]

NASTY = [
    *("", " ", ".", "..", "../..", "%", "%2F", "a/b", "a\\b", "\x00", "a\x00b", "\x7f", "\n"),
    *("'", '"; DROP TABLE x; --', "<script>", "{}", "[]", "null", "NaN", "-1", "0", "1e400"),
    *("9" * 40, "x" * 5000, "é", "e\u0301", "\u202e", "\U0001f600", "ＡＣＭＥ", "main", "acme"),
]
VALUES: list[Any] = [
    *(None, True, 0, -1, 2**31, 2**63, 10**30, 1.5, 1e308, "", "x" * 30_000, [], {}, [[]]),
    *({"a": {"b": []}}, "acme/gated", "opt-175b", "\u202e", "\U0001f600", "\ufffe"),
]


@pytest.fixture
def script(store: Path, applicant: User, gated_tier: Tier) -> ApiClient:
    """A person with something of everything: a grant, a link, an application."""
    factories.grant(applicant, gated_tier)
    revision = factories.published("acme/gated", gated_tier)
    CheckpointLink.objects.create(
        holder=applicant, checkpoint=revision.checkpoint, cause=CheckpointLink.Cause.REQUEST
    )
    submission.start(applicant, factories.tier())
    return ApiClient(applicant, "read-gated")


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in api.get_openapi_schema()["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path.removeprefix("/api/v1"), operation


def filled(path: str, operation: dict[str, Any], value: str) -> str:
    """The address with `value` in every parameter, percent-encoded."""
    parameters = operation["parameters"]
    for name in [one["name"] for one in parameters if one["in"] == "path"]:
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = "&".join(
        f"{one['name']}={quote(value, safe='')}" for one in parameters if one["in"] == "query"
    )
    return f"{path}?{query}" if query else path


def assert_documented(response: Any, operation: dict[str, Any], request: str) -> None:
    """404 is always possible: a value may make an address that leads nowhere."""
    allowed = {*map(str, operation["responses"]), "404", "405"}
    assert str(response.status_code) in allowed, request
    if response.status_code >= 400:
        assert problem(response)["status"] == response.status_code, request


@pytest.mark.requirement("HT-6")
def test_no_address_breaks_an_operation(script: ApiClient) -> None:
    for method, path, operation in operations():
        if method != "GET" or not operation["parameters"]:
            continue
        for value in NASTY:
            address = filled(path, operation, value)
            assert_documented(script.send("GET", address), operation, address[:300])


@pytest.mark.requirement("HT-6")
def test_no_body_breaks_an_operation(script: ApiClient, applicant: User) -> None:
    application = applicant.applications.get()
    for method, path, operation in operations():
        if "requestBody" not in operation:
            continue
        address = path.replace("{public_id}", str(application.public_id)).replace("{number}", "1")
        for body in bodies(operation):
            response = script.send(method, address, body)
            assert_documented(response, operation, f"{address} {json.dumps(body)[:300]}")


def bodies(operation: dict[str, Any]) -> Iterator[Any]:
    """Each field of the body in turn with each value, beside fields that are in order."""
    yield from VALUES[1:]
    components = api.get_openapi_schema()["components"]["schemas"]
    content = operation["requestBody"]["content"]
    if "application/json" not in content:  # a document, which has its own tests
        return
    schema = content["application/json"]["schema"]
    schema = next((one for one in schema.get("anyOf", []) if "$ref" in one), schema)
    fields = components[schema["$ref"].rpartition("/")[2]]["properties"]
    good = {
        "repo": "acme/gated",
        "path": "config.json",
        "tier": "opt-175b",
        "answers": {"title": "A title"},
        "licence_accept": True,
        "licence_sha256": "0" * 64,
        "seen_version": 0,
    }
    for field in fields:
        for value in VALUES:
            yield {name: good[name] for name in fields if name in good} | {field: value}
    if "answers" in fields:
        for question in [*components["Answers"]["properties"], "extra_funding"]:
            for value in VALUES:
                yield {"seen_version": 0, "answers": {question: value}}
