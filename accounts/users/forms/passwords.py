"""A new password, and whether the tokens made under the old one still open something."""

from typing import Any

from allauth.account.forms import ChangePasswordForm as AllauthChangePasswordForm
from django import forms

from accounts.api_tokens.models import ApiToken


class ChangePasswordForm(AllauthChangePasswordForm):
    """Other sessions end in any case; tokens only where asked, since jobs may run on them."""

    revoke_tokens = forms.BooleanField(
        label="Revoke my API tokens too",
        help_text="Do this if somebody may have known the old password.",
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
