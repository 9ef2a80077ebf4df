"""allauth's addresses, with what changes an account in one transaction.

allauth saves, then tells; a process killed in between would leave a change without its row
in the trail, or without the mail that tells its owner.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver, include

#: Signing in is not among them: what it counts must stay when it is refused.
CHANGES = {
    *("account_change_password", "account_set_password", "account_reset_password_from_key"),
    *("account_email", "account_confirm_email", "account_signup"),
    *("mfa_activate_totp", "mfa_deactivate_totp", "mfa_generate_recovery_codes"),
    *("mfa_add_webauthn", "mfa_edit_webauthn", "mfa_remove_webauthn"),
    "socialaccount_connections",
}

View = Callable[..., HttpResponseBase]


def in_one_transaction(view: View) -> View:
    """A view whose POST does all of what it does, or nothing."""

    @wraps(view)
    def whole(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            return view(request, *args, **kwargs)

    return whole


def _wrap(patterns: Iterable[URLPattern | URLResolver]) -> None:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            _wrap(pattern.url_patterns)
        elif pattern.name in CHANGES:
            pattern.callback = in_one_transaction(pattern.callback)


addresses = include("allauth.urls")
_wrap(addresses[0].urlpatterns)  # type: ignore[attr-defined]
