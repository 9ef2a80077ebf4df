"""The Content-Security-Policy header."""

from collections.abc import Callable

from csp.constants import HEADER
from csp.middleware import CSPMiddleware
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class PolicyMiddleware(CSPMiddleware):
    """Set a policy that is built once, since building it for each response is slow."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        super().__init__(get_response)
        self._usual = build_policy()
        #: The page of a sign-in provider may submit its form only to that provider.
        self._of_page = {
            f"{provider}_login": build_policy(update={"form-action": [origin]})
            for provider, origin in settings.SOCIAL_ORIGINS.items()
        }

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if settings.DEBUG or _has_own_policy(request, response):
            return super().process_response(request, response)
        page = request.resolver_match.url_name if request.resolver_match else None
        response.headers.setdefault(HEADER, self._of_page.get(page or "", self._usual))
        return response


def _has_own_policy(request: HttpRequest, response: HttpResponseBase) -> bool:
    """True if a view's decorator or a template's nonce has changed the policy."""
    return "_csp_nonce" in vars(request) or not _DECORATED.isdisjoint(vars(response))


#: Attributes that django-csp's decorators set on a response; `_ro` for report-only policies.
_DECORATED = {
    f"_csp_{name}{suffix}"
    for name in ("config", "exempt", "replace", "update")
    for suffix in ("", "_ro")
}
