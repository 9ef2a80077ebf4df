"""allauth's URLs, with each view that changes an account in one transaction.

allauth saves a change, then sends a signal. A process killed in between would leave a
change without its audit event, or without the mail that notifies the owner.
"""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver, include

#: URL names. Not sign-in: a refused one must not roll back its counters.
CHANGES = {
    *("account_change_password", "account_set_password", "account_reset_password_from_key"),
    *("account_email", "account_confirm_email", "account_signup"),
    *("mfa_activate_totp", "mfa_deactivate_totp", "mfa_generate_recovery_codes"),
    *("mfa_add_webauthn", "mfa_edit_webauthn", "mfa_remove_webauthn"),
    "socialaccount_connections",
}

View = Callable[..., HttpResponseBase]


def in_one_transaction(view: View) -> View:
    """Run the view in a transaction if the method is POST."""

    @wraps(view)
    def atomic_view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        with transaction.atomic():
            return view(request, *args, **kwargs)

    return atomic_view


def _wrap(patterns: Iterable[URLPattern | URLResolver]) -> None:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            _wrap(pattern.url_patterns)
        elif pattern.name in CHANGES:
            pattern.callback = in_one_transaction(pattern.callback)


urls = include("allauth.urls")
_wrap(urls[0].urlpatterns)  # type: ignore[attr-defined]
