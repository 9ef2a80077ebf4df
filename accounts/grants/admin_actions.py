"""Suspends, resumes and revokes in the admin: a confirmation page, then a receipt per grant."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.admin_pages import confirmation
from accounts.errors import AccountsError
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Receipt
from accounts.review.reasons import choices_for
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_MANAGERS
from accounts.users.models import User
from accounts.web.current_user import signed_in

REASON_HELP = "Mailed to the holder and stored in the audit trail"


class GrantActionForm(confirmation.ConfirmationForm):
    """The form of one action; a field `code` offers the action's reason codes."""

    #: The label of the empty choice of `code`.
    no_code = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("code")
        if isinstance(field, forms.ChoiceField):
            field.choices = [("", self.no_code), *choices_for(self.name)]

    def apply(self, grant: Grant, by: User) -> Receipt | None:
        """Apply the action to one grant."""
        raise NotImplementedError


class SuspendForm(GrantActionForm):
    name, title, button = "suspend", "Suspend access", "Suspend"
    warning = (
        "The next request for a file of the tier is refused, until you resume or the time that "
        "you set here has passed. Files that were fetched already cannot be recalled."
    )

    no_code = "The text alone"

    code = forms.ChoiceField(label="Reason code", required=False)
    reason = confirmation.text(REASON_HELP)
    until = forms.SplitDateTimeField(
        label="Ends automatically",
        required=False,
        widget=AdminSplitDateTime,
        help_text="In UTC. Leave empty to suspend until somebody resumes the grant",
    )

    def apply(self, grant: Grant, by: User) -> Receipt:
        return lifecycle.suspend(grant, by=by, **self.cleaned_data)


class ResumeForm(GrantActionForm):
    name, title, button = "resume", "Resume access", "Resume"
    warning = "Tokens and links of the holder open the tier again, until the end of the grant."

    def apply(self, grant: Grant, by: User) -> None:
        lifecycle.resume(grant, by=by)


class RevokeForm(GrantActionForm):
    name, title, button = "revoke", "Revoke access", "Revoke"
    warning = (
        "The next request for a file of the tier is refused, for good. Files that were fetched "
        "already cannot be recalled."
    )

    no_code = "Choose one"

    code = forms.ChoiceField(label="Reason code")
    reason = confirmation.text(REASON_HELP)

    def apply(self, grant: Grant, by: User) -> Receipt:
        return lifecycle.revoke(grant, by=by, **self.cleaned_data)


@dataclass(frozen=True)
class Outcome:
    """The result for one grant: its receipt, or the error that stopped the action."""

    grant: Grant
    receipt: Receipt | None = None
    error: str = ""


def act(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    queryset: QuerySet[Grant],
    kind: type[GrantActionForm],
) -> HttpResponse:
    """Show the confirmation page; once confirmed, apply the action and show the outcomes.

    Raises PermissionDenied unless the user is a lead reviewer of every grant's tier.
    """
    grants = list(queryset.select_related("user", "tier"))
    person = signed_in(request)
    for grant in grants:
        if not RoleAssignment.objects.covers(person, GRANT_MANAGERS, grant.tier):
            raise PermissionDenied(f"you are not a lead reviewer of {grant.tier}")
    form = confirmation.bind(kind, request)
    if not form.is_valid():
        return confirmation.render(
            model_admin, request, form, grants, "admin/accounts/grant/act.html"
        )
    outcomes = [_apply(form, grant, person) for grant in grants]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": f"{kind.title}: receipt",
        "outcomes": outcomes,
    }
    return TemplateResponse(request, "admin/accounts/grant/receipts.html", context)


def _apply(form: GrantActionForm, grant: Grant, by: User) -> Outcome:
    try:
        return Outcome(grant, form.apply(grant, by))
    except AccountsError as error:
        return Outcome(grant, error=str(error))
