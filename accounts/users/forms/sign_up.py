"""Signing up takes as long for an address that is known as for a new one."""

from typing import Any

from allauth.account.forms import SignupForm as AllauthSignupForm
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest, HttpResponse

from accounts.users.models import User


class SignupForm(AllauthSignupForm):
    """allauth answers both alike, but only a new account's password is hashed."""

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        saved: tuple[Any, Any] = super().try_save(request)
        if saved[0] is None:
            make_password(self.cleaned_data["password1"])
        return saved
