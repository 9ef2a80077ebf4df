"""Passkeys: whose they are, and forms that take whatever a browser sends."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter, get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn.forms import (
    AddWebAuthnForm,
    AuthenticateWebAuthnForm,
    LoginWebAuthnForm,
    ReauthenticateWebAuthnForm,
)
from django import forms
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest

from accounts.users import throttling
from accounts.web.loopback import is_loopback_url

#: What the library raises for a credential that has not the form of one.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


class MfaAdapter(DefaultMFAAdapter):
    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """The portal's own name. A loopback install answers by the name that was asked."""
        host = context.request.get_host()
        if not is_loopback_url(settings.PUBLIC_URL):
            host = urlsplit(settings.PUBLIC_URL).netloc
        return {"id": host.partition(":")[0], "name": settings.SITE_NAME}

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"


def address_with_a_name(request: HttpRequest) -> str:
    """Where a passkey works, if not here: browsers keep none for addresses of numbers."""
    try:
        host = request.get_host()
        number = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except (DisallowedHost, ValueError):  # the page that refuses an unknown host asks, too
        return ""
    if not number.is_loopback:
        return settings.PUBLIC_URL
    port = host.rpartition(":")[2] if host.rpartition(":")[2].isdecimal() else ""
    return f"http://localhost:{port}" if port else "http://localhost"


class _WellFormed(forms.Form):
    """A form that refuses a credential of any shape, and never breaks on one."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class _Counted(_WellFormed):
    """A credential in the place of a code is counted as one."""

    user: Any

    def clean_credential(self) -> Any:
        throttling.demand_code(context.request, self.user)
        return super().clean_credential()


class PasskeyLoginForm(_WellFormed, LoginWebAuthnForm):
    pass


class PasskeyAuthenticateForm(_Counted, AuthenticateWebAuthnForm):
    pass


class PasskeyReauthenticateForm(_Counted, ReauthenticateWebAuthnForm):
    pass


class PasskeyAddForm(AddWebAuthnForm):
    """A new passkey; it signs in alone unless told otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].help_text = "To tell it from others: the device or key that holds it."
        alone = self.fields["passwordless"]
        alone.label, alone.initial = "Sign in with it alone", True
        alone.help_text = (
            "The device then checks that it is you, by PIN, finger or face. "
            "Untick it for a security key that is only asked for after your password."
        )

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return cleaned
