"""The OpenAPI document, and the page that shows it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver

from weights.api.urls import urlpatterns

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

#: Operations that answer with a document.
PDF = {"document_read"}


@pytest.fixture
def document(client: Client) -> dict[str, Any]:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    payload: dict[str, Any] = json.loads(response.content)
    return payload


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_operation_has_a_description_and_its_errors(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    ids = set()
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["operationId"] not in ids, name
        ids.add(operation["operationId"])
        assert {"401", "403", "429", "503"} <= set(operation["responses"]), name
        for status, response in operation["responses"].items():
            if status == "414":  # the web server's own, in its own words
                continue
            usual = "application/pdf" if operation["operationId"] in PDF else "application/json"
            kind = "application/problem+json" if int(status) >= 400 else usual
            assert list(response["content"]) == [kind], name
            assert response["description"], name
        named = set(re.findall(r"{(\w+)}", name))
        payload = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert named == payload, name


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert found
    for reference in found:
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in document["components"]["schemas"]


def test_only_own_things_demand_a_token(document: dict[str, Any]) -> None:
    public = {"checkpoint_list", "checkpoint_detail", "revision_list", "file_list", "plan"} | {
        "dry_run",
        *("accelerator_list", "hardware_fit", "footprint", "openness"),
        "known_file",
        "transparency_numbers",
        *("tier_list", "tier_detail", "tier_changes", "issue_list", "recall_list"),
        "key_list",
        *("head_list", "head_consistency"),
        "code_list",
        "code_detail",
    }
    for name, operation in operations(document):
        optional = {} in operation["security"]
        assert optional == (operation["operationId"] in public), name
        assert {} in operation["security"] or operation["security"] in (
            [{"BearerToken": []}],
            [{"GatedToken": []}],
        ), name


def test_every_route_of_the_api_is_in_the_document(document: dict[str, Any]) -> None:
    aside = {"openapi-json", "openapi-view", "api-root"}
    mounted = urlpatterns[0]
    assert isinstance(mounted, URLResolver)
    patterns = [one for one in mounted.url_patterns if isinstance(one, URLPattern)]
    routes = {
        "/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(one.pattern))
        for one in patterns
        if one.name not in aside
    }
    assert routes == set(document["paths"])


def test_the_page_runs_no_inline_or_foreign_script(client: Client) -> None:
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    policy = page["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    text = page.content.decode()
    inline = re.findall(r"<script(?![^>]*\bsrc=)([^>]*)>", text)
    assert all('type="application/json"' in attributes for attributes in inline)
    assert not re.search(r"<style|\sstyle=|\son\w+=", text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
