"""The surface that every request passes: hosts, proxies, bodies of HEAD."""

import ipaddress

import pytest
from django.test import Client, RequestFactory

from accounts import request_facts
from portal.middleware import SurfaceMiddleware

pytestmark = pytest.mark.django_db


def _network_seen(forwarded: str) -> str:
    seen = []
    surface = SurfaceMiddleware(lambda request: seen.append(request_facts.current()))  # type: ignore[arg-type, func-returns-value]
    request = RequestFactory().get("/", headers={"X-Forwarded-For": forwarded})
    with pytest.raises((TypeError, AttributeError)):  # the inner view gives no response
        surface(request)
    return seen[0].network


def test_a_forwarded_address_is_not_believed_from_just_anyone() -> None:
    assert _network_seen("203.0.113.7") == "127.0.0.0/24"


def test_a_configured_proxy_is_believed_about_the_last_address(
    settings: pytest.FixtureRequest,
) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.0/8")]  # type: ignore[attr-defined]
    assert _network_seen("198.51.100.1, 203.0.113.7") == "203.0.113.0/24"


@pytest.mark.parametrize("path", ["/healthz", "/models", "/static/css/base.css", "/api/models/a/b"])
def test_an_unknown_host_is_400_on_every_address(path: str, client: Client) -> None:
    assert client.get(path, headers={"Host": "evil.example"}).status_code == 400


def test_a_head_has_the_length_of_the_get_and_no_body(client: Client) -> None:
    got, head = client.get("/api/models/no/such"), client.head("/api/models/no/such")
    assert head.content == b""
    assert int(head["Content-Length"]) == len(got.content)
    assert head.status_code == got.status_code == 404
