"""Signing in by a name or address no longer than one can be."""

from typing import Any

from allauth.account.forms import LoginForm as AllauthLoginForm
from django.core.validators import MaxLengthValidator

#: Of an address of mail (RFC 5321, 4.5.3.1.3); a name is shorter. SQLite compares no more than
#: 50,000 characters without regard to case.
MOST = 254


class LoginForm(AllauthLoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["login"]
        field.validators.append(MaxLengthValidator(MOST))
        field.widget.attrs["maxlength"] = str(MOST)
