"""Who is calling, when a web server of ours stands in front."""

import ipaddress
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class ForwardedAddressMiddleware:
    """Put the caller's address in REMOTE_ADDR, as the configured proxies have told it.

    Each proxy appends the address it was called from, so the one that counts stands
    TRUSTED_PROXIES places from the end; whatever a caller wrote stands before it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        told = request.headers.get("X-Forwarded-For", "").split(",")
        if address := _address(told, settings.TRUSTED_PROXIES):
            request.META["REMOTE_ADDR"] = address
        return self.get_response(request)


def _address(told: list[str], proxies: int) -> str | None:
    """The address that the outermost trusted proxy saw; None where it told none."""
    if len(told) < proxies:
        return None
    try:
        return str(ipaddress.ip_address(told[-proxies].strip()))
    except ValueError:
        return None
