"""The caller's address behind trusted proxies (X-Forwarded-For)."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ForwardedAddressMiddleware:
    """Set REMOTE_ADDR to the address that the outermost trusted proxy reports.

    Each proxy appends the address of its client, so the caller's is the TRUSTED_PROXIES-th from
    the end. Forged addresses come before it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        addresses = request.headers.get("X-Forwarded-For", "").split(",")
        if address := _address(addresses, settings.TRUSTED_PROXIES):
            request.META["REMOTE_ADDR"] = address
        return self.get_response(request)


def _address(addresses: list[str], proxies: int) -> str | None:
    """The TRUSTED_PROXIES-th address from the end; None if it is missing or malformed."""
    if len(addresses) < proxies:
        return None
    try:
        return str(ipaddress.ip_address(addresses[-proxies].strip()))
    except ValueError:
        return None
