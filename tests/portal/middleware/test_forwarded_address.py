"""A forwarded address is accepted only from the configured proxies."""

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from portal.middleware.forwarded_address import ForwardedAddressMiddleware

pytestmark = pytest.mark.one_database


@pytest.mark.requirement("HT-4")
@pytest.mark.parametrize(
    ("proxies", "told", "address"),
    [
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.9.9.9, 203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "", "127.0.0.1"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "unknown", "127.0.0.1"),
        (1, "203.0.113.9:80", "127.0.0.1"),
    ],
)
def test_the_address_is_the_one_the_outermost_proxy_saw(
    proxies: int, told: str, address: str, settings: Settings
) -> None:
    settings.TRUSTED_PROXIES = proxies
    seen = []

    def answer(request: HttpRequest) -> HttpResponse:
        seen.append(request.META["REMOTE_ADDR"])
        return HttpResponse()

    ForwardedAddressMiddleware(answer)(RequestFactory().get("/", HTTP_X_FORWARDED_FOR=told))
    assert seen == [address]
