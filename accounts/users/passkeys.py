"""Passkeys: the relying party, and forms that reject malformed credentials."""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
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

from accounts.encryption import cipher
from accounts.errors import Unreadable
from accounts.users import throttling
from accounts.web.error_pages import error_page
from accounts.web.loopback import is_loopback_url

#: Exceptions that the WebAuthn library raises for a malformed credential.
_MALFORMED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


_LOST = "Your second factor cannot be checked"
_LOST_SEED = (
    "This portal has lost the key of your authenticator app and recovery codes, so it cannot check "
    "their codes. Sign in with a passkey if you have one. Otherwise ask the people who run the "
    "portal to remove both from your account, then sign in and set them up again."
)


class MfaAdapter(DefaultMFAAdapter):
    def get_public_key_credential_rp_entity(self) -> dict[str, str]:
        """Return the host of PUBLIC_URL as id, or the request's host for a loopback install."""
        host = context.request.get_host()
        if not is_loopback_url(settings.PUBLIC_URL):
            host = urlsplit(settings.PUBLIC_URL).netloc
        return {"id": host.partition(":")[0], "name": settings.SITE_NAME}

    def encrypt(self, text: str) -> str:
        return cipher.encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Return a second factor's seed. Raises a 403 page that says how to replace a lost one."""
        try:
            return cipher.decrypt(encrypted_text)
        except Unreadable as error:
            page = error_page(context.request, 403, title=_LOST, message=_LOST_SEED)
            raise ImmediateHttpResponse(page) from error

    def generate_authenticator_name(self, user: AbstractBaseUser, type: str) -> str:
        number = Authenticator.objects.filter(user_id=user.pk, type=type).count() + 1
        return "Passkey" if number == 1 else f"Passkey {number}"


def passkey_origin(request: HttpRequest) -> str:
    """Return the origin to open for passkeys; empty if they work at the request's host.

    Browsers support passkeys only for domain names, not for IP addresses.
    """
    try:
        host = request.get_host()
        address = ipaddress.ip_address(urlsplit(f"//{host}").hostname or "")
    except (DisallowedHost, ValueError):  # the error page for a disallowed host calls this too
        return ""
    if not address.is_loopback:
        return settings.PUBLIC_URL
    port = host.rpartition(":")[2] if host.rpartition(":")[2].isdecimal() else ""
    return f"http://localhost:{port}" if port else "http://localhost"


class _WellFormed(forms.Form):
    """Reports a malformed credential as a form error instead of an exception."""

    def clean_credential(self) -> Any:
        try:
            return super().clean_credential()  # type: ignore[misc]
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error


class _Counted(_WellFormed):
    """Counts a credential towards the limit of second-factor codes."""

    user: Any

    def clean_credential(self) -> Any:
        throttling.count_code(context.request, self.user)
        return super().clean_credential()


class PasskeyLoginForm(_WellFormed, LoginWebAuthnForm):
    pass


class PasskeyAuthenticateForm(_Counted, AuthenticateWebAuthnForm):
    pass


class PasskeyReauthenticateForm(_Counted, ReauthenticateWebAuthnForm):
    pass


class PasskeyAddForm(AddWebAuthnForm):
    """Adds a passkey that by default signs in without a password."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "name"
        ].help_text = "A name to recognise it by, such as the device that holds it."
        passwordless = self.fields["passwordless"]
        passwordless.label, passwordless.initial = "Sign in with it alone", True
        passwordless.help_text = (
            "The device then checks that it is you, by PIN, finger or face. "
            "Untick it for a security key that is only asked for after your password."
        )

    def clean(self) -> dict[str, Any]:
        try:
            cleaned: dict[str, Any] = super().clean()
        except _MALFORMED as error:
            raise get_adapter().validation_error("incorrect_code") from error
        return cleaned
