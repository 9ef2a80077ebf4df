"""The form for a new API token."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from accounts.api_tokens.models import MAX_DAYS, Scope
from accounts.users.models import User
from accounts.web.form_fields import TextField

_REPO_ID = re.compile(r"[A-Za-z0-9_.-]{1,96}/[A-Za-z0-9_.-]{1,96}")


class TokenForm(forms.Form):
    """Offers the scopes that the permissions of `person` allow."""

    use_required_attribute = False  # the server reports all errors in one format

    name = TextField(
        label="Name", max_length=120, help_text="Where it will be used, such as “cluster”."
    )
    scopes = forms.MultipleChoiceField(
        label="What it may do", choices=[], widget=forms.CheckboxSelectMultiple
    )
    repositories = TextField(
        label="Only these gated checkpoints",
        required=False,
        max_length=4000,
        widget=forms.Textarea({"rows": 2, "class": "short"}),
        help_text="One ORG/NAME per line. Leave empty for all checkpoints that you may use.",
    )
    days = forms.IntegerField(
        label="Ends after (days)", min_value=1, max_value=MAX_DAYS, initial=90
    )

    def __init__(self, *args: Any, person: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [Scope.READ, Scope.READ_GATED]
        if person.has_perm("weights.publish_checkpoint"):
            offered.append(Scope.WRITE)
        if person.has_perm("accounts.review_application"):
            offered.append(Scope.ADMIN)
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.help_text = (
            "For more than read you enter your password, passkey or code again, unless you did so "
            "within the last 15 minutes."
        )
        field.choices = [(str(scope), f"{scope.label} ({scope})") for scope in offered]

    def clean_repositories(self) -> list[str]:
        names = str(self.cleaned_data["repositories"]).split()
        for name in names:
            if not _REPO_ID.fullmatch(name):
                raise ValidationError(
                    f"{name[:100]} is not the name of a checkpoint; write ORG/NAME."
                )
        return names
