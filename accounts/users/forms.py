"""allauth's sign-up, sign-in and password forms, with our rules (ACCOUNT_FORMS)."""

from typing import Any

from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from allauth.account.forms import LoginForm as AllauthLoginForm
from allauth.account.forms import ResetPasswordForm as AllauthResetPasswordForm
from allauth.account.forms import SetPasswordForm as AllauthSetPasswordForm
from allauth.account.forms import SignupForm as AllauthSignupForm
from allauth.account.models import EmailAddress
from django import forms
from django.contrib.auth.hashers import make_password
from django.core.validators import MaxLengthValidator
from django.http import HttpRequest, HttpResponse

from accounts.api_tokens.models import ApiToken
from accounts.users import recent_authentication
from accounts.users.models import User
from accounts.users.usernames import validate_username

#: Maximum length of a mail address (RFC 5321, 4.5.3.1.3); usernames are shorter. Without a limit
#: SQLite fails, because it compares at most 50,000 characters case-insensitively.
MAX_LOGIN_LENGTH = 254


class LoginForm(AllauthLoginForm):
    """Limits the length of the username or address."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["login"]
        field.validators.append(MaxLengthValidator(MAX_LOGIN_LENGTH))
        field.widget.attrs["maxlength"] = str(MAX_LOGIN_LENGTH)


class SignupForm(AllauthSignupForm):
    """Takes as long for a registered address as for a new one.

    allauth gives both the same response, but hashes only the password of a new account.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["username"]
        field.help_text, field.min_length = validate_username.message, None

    def try_save(self, request: HttpRequest) -> tuple[User | None, HttpResponse | None]:
        saved: tuple[Any, Any] = super().try_save(request)
        if saved[0] is None:
            make_password(self.cleaned_data["password1"])
        return saved


class ChangePasswordForm(AllauthChangePasswordForm):
    """Revokes API tokens only on request, because jobs may depend on them.

    Every password change ends the other sessions.
    """

    revoke_tokens = forms.BooleanField(
        label="Revoke my API tokens too",
        help_text="Do this if somebody else may know the old password.",
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not ApiToken.objects.active().filter(user=self.user).exists():
            del self.fields["revoke_tokens"]

    def save(self) -> None:
        super().save()
        if self.cleaned_data.get("revoke_tokens"):
            ApiToken.objects.revoke_all(self.user, by=self.user, cause="password_changed")


class SetPasswordForm(AllauthSetPasswordForm):
    """The first password of an account that signs in through a provider."""

    def save(self) -> None:
        """Save the password. Raises RecentAuthenticationRequired if the sign-in is too old."""
        recent_authentication.require()
        super().save()


class ResetPasswordForm(AllauthResetPasswordForm):
    """Mails a link to reset the password, only to confirmed addresses.

    allauth also finds accounts by unconfirmed addresses.
    """

    users: list[User]

    def clean_email(self) -> str:
        email: str = super().clean_email()
        self._rows = EmailAddress.objects.filter(email=email.lower(), user__is_active=True)
        owners = set(self._rows.filter(verified=True).values_list("user", flat=True))
        self.users = [user for user in self.users if user.pk in owners]
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        """Mail a new confirmation instead to an unconfirmed address; then a reset works."""
        unconfirmed = [] if self.users else list(self._rows.filter(verified=False))
        for row in unconfirmed:
            row.send_confirmation(request)
        email: str = self.cleaned_data["email"]
        return email if unconfirmed else super().save(request, **kwargs)
