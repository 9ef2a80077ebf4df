"""How often people may guess: the limits that allauth lacks, and the true wait of those it has.

docs/requirements.md, AC. Counters that do not answer let nobody guess.
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
from django.http import HttpRequest

from accounts.rate_limits import buckets
from accounts.rate_limits.buckets import SECOND_FACTOR, SIGN_INS, Limit
from accounts.users.models import User
from accounts.web.error_pages import RETRY_AFTER, error_page

_APP = "allauth.account"
#: allauth's pages that answer 429 by themselves, and the limit that each one asks.
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


def demand_sign_in(request: HttpRequest) -> None:
    """Count one try against what all people may do together; raises the answer beyond it."""
    _demand(request, SIGN_INS, "all")


def give_sign_in_back() -> None:
    """The try that was counted last was no guess."""
    buckets.give_back(SIGN_INS, "all")


def demand_code(request: HttpRequest, user: User) -> None:
    """Count one code of the second factor, right or wrong; raises the answer beyond the limit."""
    for limit in SECOND_FACTOR:
        _demand(request, limit, str(user.pk))


def _demand(request: HttpRequest, limit: Limit, key: str) -> None:
    verdict = buckets.take(limit, key)
    if not verdict.allowed or not verdict.counted:
        raise ImmediateHttpResponse(error_page(request, 429, wait=verdict.wait))


def wait_on_page(request: HttpRequest) -> int:
    """Seconds until this page of allauth's would take the same form again."""
    where = request.resolver_match
    action = _ACTIONS.get(where.view_name) if where else None
    if action is None:
        return RETRY_AFTER[429]
    return wait_of(request, action, request.POST.get("email", "").strip().lower())


def wait_of(request: HttpRequest, action: str, key: str) -> int:
    """Seconds until every limit of this action has room again."""
    now = time.time()
    waits = [0.0]
    for rate in ratelimit.get_rates(app=_APP, action=action):
        if rate.per == "user" and not request.user.is_authenticated:
            continue
        place = ratelimit.get_cache_key(request, app=_APP, action=action, rate=rate, key=key)
        tries = cache.get(place, [])  # newest first
        if len(tries) >= rate.amount:
            waits.append(tries[rate.amount - 1] + rate.duration - now)
    return max(1, math.ceil(max(waits)))


class _CountedCode(forms.Form):
    """A form whose code is counted before anybody looks at it."""

    user: Any

    def clean_code(self) -> str:
        demand_code(context.request, self.user)
        code: str = super().clean_code()  # type: ignore[misc]
        return code


class CountedAuthenticateForm(_CountedCode, AuthenticateForm):
    pass


class CountedReauthenticateForm(_CountedCode, ReauthenticateForm):
    pass


class CountedActivateForm(_CountedCode, ActivateTOTPForm):
    pass
