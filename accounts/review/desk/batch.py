"""Admin actions of lead reviewers on several applications, confirmed on one page."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.applications.models import Application
from accounts.applications.workflow import claims
from accounts.errors import AccountsError, InvalidValue
from accounts.review import services
from accounts.review.forms import PersonField
from accounts.review.reasons import MIN_NOTE_LENGTH, Reason, validate_reasons
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.users.models import User
from accounts.web.current_user import signed_in

MAX_APPLICATIONS = 200


class AssignForm(forms.Form):
    to = PersonField(queryset=None, label="Reviewer", empty_label="Choose a reviewer")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["to"]
        reviewers = RoleAssignment.objects.filter(role__in=DECIDERS).active_staff()
        people.queryset = reviewers.order_by("username")


class RejectForm(forms.Form):
    reason = forms.ChoiceField(
        choices=[(str(code), str(code.label)) for code in (Reason.SPAM, Reason.DUPLICATE)]
    )
    note = forms.CharField(
        label="Note to each applicant",
        min_length=MIN_NOTE_LENGTH["reject"],
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text="Mailed unchanged. For a duplicate, name the other reference.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                validate_reasons("reject", [cleaned["reason"]], cleaned["note"])
            except InvalidValue as error:
                self.add_error("note", str(error))
        return cleaned


@dataclass(frozen=True)
class BatchAction:
    """One entry in the menu of the list; `run` calls one service for each application."""

    name: str
    label: str
    button: str
    form: type[forms.Form]
    run: Callable[[Application, User, dict[str, Any]], None]


BATCH_ACTIONS = (
    BatchAction(
        "assign_all",
        "Assign to a reviewer",
        "Assign",
        AssignForm,
        lambda application, by, values: claims.assign(application, values["to"], by=by),
    ),
    BatchAction(
        "remind_all",
        "Remind the claimer",
        "Remind the claimer",
        forms.Form,
        lambda application, by, values: claims.remind(application, by=by),
    ),
    BatchAction(
        "reject_all",
        "Reject as spam or duplicate",
        "Reject as spam or duplicate",
        RejectForm,
        lambda application, by, values: services.reject_as_lead(application, by=by, **values),
    ),
)


def _admin_action(batch: BatchAction) -> Callable[..., HttpResponse | None]:
    @admin.action(description=batch.label, permissions=["lead"])
    def act(
        model_admin: "BatchActions", request: HttpRequest, queryset: QuerySet
    ) -> HttpResponse | None:
        return model_admin.run_batch(batch, request, queryset)

    act.__name__ = batch.name  # Django names an action by its function
    return act


class BatchActions(admin.ModelAdmin):
    actions = [_admin_action(batch) for batch in BATCH_ACTIONS]

    def has_lead_permission(self, request: HttpRequest) -> bool:
        """Offers the actions; the services check the role for the tier of each application."""
        return request.user.has_perm("accounts.revoke_grant")

    def run_batch(
        self, batch: BatchAction, request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        """Show the confirmation page; once it is confirmed, run the action on each application."""
        selected = list(queryset[: MAX_APPLICATIONS + 1])
        _require_all_found(request, selected)
        if len(selected) > MAX_APPLICATIONS:
            message = f"choose at most {MAX_APPLICATIONS} at once"
            self.message_user(request, message, messages.ERROR)
            return None
        confirmed = "confirmed" in request.POST
        form = batch.form(request.POST if confirmed else None)
        if not (confirmed and form.is_valid()):
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": batch.button,
                "form": form,
                "button": batch.button,
                "applications": selected,
                "action": batch.name,
                "checkbox": ACTION_CHECKBOX_NAME,
                "is_nav_sidebar_enabled": False,
            }
            return TemplateResponse(request, "admin/accounts/application/batch.html", context)
        done = []
        for application in selected:
            try:
                batch.run(application, signed_in(request), form.cleaned_data)
            except AccountsError as error:
                message = f"{application.reference} was not changed: {error}"
                self.message_user(request, message, messages.ERROR)
            else:
                done.append(application.reference)
        if done:
            message = f"{batch.button}: {', '.join(done)}"
            self.message_user(request, message, messages.SUCCESS)
        return None


def _require_all_found(request: HttpRequest, selected: list[Application]) -> None:
    """Raise Http404 if the selection names applications outside the tiers of the user."""
    posted = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
    across = request.POST.get("select_across") == "1"
    if not across and posted != {str(application.pk) for application in selected}:
        raise Http404("no such application among those of your tiers")
