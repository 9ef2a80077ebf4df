"""Admin actions by lead reviewers on several applications, confirmed on one page."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from accounts.admin_pages import confirmation
from accounts.applications.models import Application
from accounts.applications.workflow import claims
from accounts.errors import AccountsError, InvalidValue
from accounts.review import services
from accounts.review.forms import PersonField
from accounts.review.reasons import MIN_NOTE_LENGTH, Reason, validate_reasons
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.web.current_user import signed_in

MAX_APPLICATIONS = 200


class BatchForm(confirmation.ConfirmationForm):
    """The form of one action; `run` calls one service for each application."""

    run: ClassVar[Callable[..., object]]


class AssignForm(BatchForm):
    run = staticmethod(claims.assign)
    name, title, button = "assign_all", "Assign", "Assign"

    to = PersonField(queryset=None, label="Reviewer", empty_label="Choose a reviewer")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people: Any = self.fields["to"]
        reviewers = RoleAssignment.objects.filter(role__in=DECIDERS).active_staff()
        people.queryset = reviewers.order_by("username")


class RemindForm(BatchForm):
    run = staticmethod(claims.remind)
    name, title, button = "remind_all", "Remind the claimer", "Remind the claimer"


class RejectForm(BatchForm):
    run = staticmethod(services.reject_as_lead)
    name, title = "reject_all", "Reject as spam or duplicate"
    button = title

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


class BatchActions(admin.ModelAdmin):
    actions = ["assign_all", "remind_all", "reject_all"]

    @admin.action(description="Assign to a reviewer", permissions=["lead"])
    def assign_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._run(AssignForm, request, queryset)

    @admin.action(description="Remind the claimer", permissions=["lead"])
    def remind_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._run(RemindForm, request, queryset)

    @admin.action(description="Reject as spam or duplicate", permissions=["lead"])
    def reject_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._run(RejectForm, request, queryset)

    def has_lead_permission(self, request: HttpRequest) -> bool:
        """True if the actions are offered; the services check the role for each tier."""
        return request.user.has_perm("accounts.revoke_grant")

    def _run(
        self, kind: type[BatchForm], request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        """Show the confirmation page; once confirmed, run the action on each application."""
        selected = list(queryset[: MAX_APPLICATIONS + 1])
        _require_all_found(request, selected)
        if len(selected) > MAX_APPLICATIONS:
            message = f"choose at most {MAX_APPLICATIONS} at once"
            self.message_user(request, message, messages.ERROR)
            return None
        form = confirmation.bind(kind, request)
        if not form.is_valid():
            template = "admin/accounts/application/batch.html"
            return confirmation.render(
                self, request, form, selected, template, is_nav_sidebar_enabled=False
            )
        done = []
        for application in selected:
            try:
                form.run(application, by=signed_in(request), **form.cleaned_data)
            except AccountsError as error:
                message = f"{application.reference} was not changed: {error}"
                self.message_user(request, message, messages.ERROR)
            else:
                done.append(application.reference)
        if done:
            message = f"{form.button}: {', '.join(done)}"
            self.message_user(request, message, messages.SUCCESS)
        return None


def _require_all_found(request: HttpRequest, selected: list[Application]) -> None:
    """Raise Http404 if the selection has applications outside the user's tiers."""
    posted = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
    across = request.POST.get("select_across") == "1"
    if not across and posted != {str(application.pk) for application in selected}:
        raise Http404("no such application among those of your tiers")
