"""Limits on guessing (docs/requirements.md, AC): those that allauth lacks, and exact Retry-Afters.

While Redis is unavailable, each process counts passwords and codes itself, with smaller limits
(docs/security.md#without-the-counters).
"""

import math
import time
from typing import Any

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.core.internal import ratelimit
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from accounts.errors import AccountsCode
from accounts.rate_limits import buckets, process_buckets
from accounts.rate_limits.buckets import SECOND_FACTOR, SIGN_INS, Limit
from accounts.users.models import User
from accounts.web.error_pages import RETRY_AFTER, error_page

_APP = "allauth.account"
#: allauth's views that return 429 themselves -> the key of their limit in ACCOUNT_RATE_LIMITS.
_ACTIONS = {
    "account_signup": "signup",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
    "account_change_password": "change_password",
    "account_set_password": "change_password",
    "account_email": "manage_email",
    "account_reauthenticate": "reauthenticate",
    "mfa_reauthenticate": "reauthenticate",
}


#: Limits per process while Redis is unavailable: all sign-ins, those of one name, and codes.
_PROCESS_SIGN_INS = Limit("sign-in", 100, 300)
_PROCESS_NAME = Limit("sign-in-name", 3, 300)
_PROCESS_CODES = Limit("code", 3, 300)


def count_sign_in(request: HttpRequest, name: str) -> None:
    """Count an attempt towards the limit of all users together. Raises a 429 or 503 response."""
    if not _is_counted(request, SIGN_INS, "all"):
        _count_in_process(request, _PROCESS_SIGN_INS, "all")
        _count_in_process(request, _PROCESS_NAME, name.strip().lower())


def uncount_sign_in() -> None:
    """Take back the count of the last attempt, which succeeded."""
    buckets.give_back(SIGN_INS, "all")


def count_code(request: HttpRequest, user: User) -> None:
    """Count one second-factor code, correct or not. Raises a 429 or 503 response."""
    if not all(_is_counted(request, limit, str(user.pk)) for limit in SECOND_FACTOR):
        _count_in_process(request, _PROCESS_CODES, str(user.pk))


def _is_counted(request: HttpRequest, limit: Limit, key: str) -> bool:
    """Count one request. Returns False if Redis is unavailable. Raises a 429 response."""
    verdict = buckets.take(limit, key)
    if not verdict.allowed:
        raise ImmediateHttpResponse(error_page(request, 429, wait=verdict.wait))
    return verdict.counted


def _count_in_process(request: HttpRequest, limit: Limit, key: str) -> None:
    verdict = process_buckets.take(limit, key)
    if not verdict.allowed:
        raise ImmediateHttpResponse(counters_unavailable(request, verdict.wait))


def counters_unavailable(request: HttpRequest, wait: int = 0) -> HttpResponse:
    """Return the 503 response to what must be counted while Redis is unavailable."""
    return error_page(
        request,
        503,
        code=AccountsCode.COUNTERS_UNAVAILABLE,
        title="Attempts cannot be counted now",
        message="The server that counts attempts (Redis or Valkey) does not answer. Until it does,"
        " each name can try to sign in a few times in five minutes; everything else that is counted"
        " waits. Your operators see the cause on the health page.",
        wait=wait,
    )


def retry_after(request: HttpRequest) -> int:
    """Return the seconds until this allauth view accepts the same form again."""
    match = request.resolver_match
    action = _ACTIONS.get(match.view_name) if match else None
    if action is None:
        return RETRY_AFTER[429]
    return seconds_until_allowed(request, action, request.POST.get("email", "").strip().lower())


def seconds_until_allowed(request: HttpRequest, action: str, key: str) -> int:
    """Return the seconds until every limit of this action allows another attempt."""
    now = time.time()
    waits = [0.0]
    for rate in ratelimit.get_rates(app=_APP, action=action):
        if rate.per == "user" and not request.user.is_authenticated:
            continue
        cache_key = ratelimit.get_cache_key(request, app=_APP, action=action, rate=rate, key=key)
        attempts = cache.get(cache_key, [])  # Unix times, newest first
        if len(attempts) >= rate.amount:
            waits.append(attempts[rate.amount - 1] + rate.duration - now)
    return max(1, math.ceil(max(waits)))


class _CountedCode(forms.Form):
    """Counts the code before it is checked."""

    user: Any

    def clean_code(self) -> str:
        count_code(context.request, self.user)
        code: str = super().clean_code()  # type: ignore[misc]
        return code


class CountedAuthenticateForm(_CountedCode, AuthenticateForm):
    pass


class CountedReauthenticateForm(_CountedCode, ReauthenticateForm):
    pass


class CountedActivateForm(_CountedCode, ActivateTOTPForm):
    pass
