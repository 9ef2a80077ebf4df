"""Require recent authentication for certain acts in requests with a session."""

from collections.abc import Callable
from functools import partial

from django.http import HttpRequest, HttpResponse

from accounts.errors import RecentAuthenticationRequired
from accounts.users import reauthentication, recent_authentication


class ReauthenticationMiddleware:
    """Supplies the age of the session's last authentication, and redirects to renew it.

    Only acts that require it read the session. Both APIs turn the error into their own response
    before it gets here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with recent_authentication.in_request(partial(reauthentication.age, request)):
            return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, RecentAuthenticationRequired):
            return None
        return reauthentication.page_for(request, error)
