"""Requests are counted by route name; no label depends on what callers send."""

from collections.abc import Iterator

import pytest
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver
from prometheus_client import REGISTRY
from pytest_django import Settings

from accounts.users.models import User
from portal.metrics import requests
from tests.support import factories, promtool
from weights.gate.refusals import Missing, Refusal, error_code

pytestmark = [pytest.mark.django_db, pytest.mark.one_database]

ROUTE = "weighbridge_http_requests_total"


@pytest.fixture
def client(settings: Settings, store: object) -> Client:
    settings.MIDDLEWARE = ["portal.metrics.requests.MetricsMiddleware", *settings.MIDDLEWARE]
    factories.published("acme/open")
    return Client(raise_request_exception=False)


def _count(**labels: str) -> float:
    return REGISTRY.get_sample_value(ROUTE, labels) or 0.0


def _names(resolver: URLResolver, namespace: str = "") -> Iterator[str]:
    """The names of all URL patterns, as `view_name` spells them."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{namespace}{pattern.namespace}:" if pattern.namespace else namespace
            yield from _names(pattern, inner)
        elif isinstance(pattern, URLPattern):
            yield f"{namespace}{pattern.name or pattern.lookup_str}"


@pytest.mark.parametrize(
    ("path", "headers", "route", "status"),
    [
        ("/acme/open/resolve/main/config.json", {}, "hub:resolve", "200"),
        ("/acme/open/resolve/main/config.json", {"Accept": "text/html"}, "hub:resolve", "200"),
        ("/acme/open/resolve/main/none", {}, "hub:resolve", "404"),
        ("/healthz", {}, "healthz", "200"),
        ("/healthz", {"Host": "evil.example"}, "none", "400"),
        ("/admin/", {}, "admin", "302"),
        ("/no/such/page/at/all", {}, "none", "404"),
    ],
)
def test_a_request_counts_under_its_route(
    path: str, headers: dict[str, str], route: str, status: str, client: Client
) -> None:
    before = _count(route=route, method="GET", status=status)
    assert str(client.get(path, headers=headers).status_code) == status
    assert _count(route=route, method="GET", status=status) == before + 1


@pytest.mark.slow
@pytest.mark.requirement("OP-31")
def test_nothing_that_callers_choose_becomes_a_label(client: Client, applicant: User) -> None:
    for n in range(30):
        client.get(f"/acme/model-{n}/resolve/rev-{n}/file-{n}.bin")
        client.get(f"/unknown-{n}/", headers={"Accept": "text/html"})
        client.get(f"/d/token-{n}/x", {"q": str(n)})
        client.generic(f"BREW{n}", "/models")
        client.get(f"/models?search=x-{n}%ED%A0%80%00%3Cscript%3E")
    named = {name for name in _names(get_resolver()) if not name.startswith("admin:")}
    known = {*named, "static", "none", "admin"}
    found = promtool.samples(REGISTRY)
    series = [one for one in found if one.startswith((ROUTE, "weighbridge_gate_decisions_total"))]
    routes = {one.split('route="')[1].partition('"')[0] for one in series if one.startswith(ROUTE)}
    assert routes <= known
    assert {"hub:resolve", "delivery:checkpoint-link"} <= routes
    methods = {one.split('method="')[1].partition('"')[0] for one in series if "method=" in one}
    assert methods <= {*requests._METHODS, "other"}
    outcomes = {one.split('outcome="')[1].partition('"')[0] for one in series if "outcome=" in one}
    codes = {*Refusal, *Missing}
    assert outcomes <= {"allowed", *(str(error_code(code)) for code in codes)}
    assert not [one for one in found if applicant.username in one or "model-" in one]
    # Each of these is written to a file that all processes share.
    assert len(known) < 300


def test_static_files_are_one_route() -> None:
    """WhiteNoise answers before a route is looked up."""
    assert requests.route_of(RequestFactory().get("/static/css/portal.css")) == "static"


def test_the_fast_path_has_the_names_of_the_full_path() -> None:
    assert set(requests._FAST.values()) <= set(_names(get_resolver()))
    assert not set(requests._FAST) & set(_names(get_resolver())), "a name would be renamed"
