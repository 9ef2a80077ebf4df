"""Lead reviewers act on several applications at once: each through its own method."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts.applications.models import Application
from accounts.applications.state_machine import Actor
from accounts.errors import AccountsError, InvalidValue, NotAllowed
from accounts.review.reasons import NOTE_LEAST, Reason, demand_reasons
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import DECIDERS
from accounts.users.models import User
from accounts.web.current_user import signed_in

MOST = 200


class BatchForm(forms.Form):
    """What is asked once for all of them."""


class AssignBatchForm(BatchForm):
    to: Any = forms.ModelChoiceField(
        queryset=None, label="Reviewer", empty_label="Choose a reviewer"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = RoleAssignment.objects.filter(role__in=DECIDERS)
        people: Any = self.fields["to"]
        people.queryset = User.objects.filter(
            pk__in=held.values("user"), is_active=True, is_staff=True, suspended_at=None
        ).order_by("username")
        people.label_from_instance = lambda person: person.display_name


class RejectBatchForm(BatchForm):
    reason = forms.ChoiceField(
        choices=[(str(code), str(code.label)) for code in (Reason.SPAM, Reason.DUPLICATE)]
    )
    note = forms.CharField(
        label="Note to each applicant",
        min_length=NOTE_LEAST["reject"],
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
        help_text="Mailed as it stands. For a duplicate, name the other reference.",
    )

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                demand_reasons("reject", [said["reason"]], said["note"])
            except InvalidValue as error:
                self.add_error("note", str(error))
        return said


def _assign(application: Application, by: User, said: dict[str, Any]) -> None:
    application.assign(said["to"], by=by)


def _remind(application: Application, by: User, said: dict[str, Any]) -> None:
    application.remind(by=by)


def _reject(application: Application, by: User, said: dict[str, Any]) -> None:
    if Actor.LEAD not in application.actors(by):
        raise NotAllowed(f"you are no lead reviewer of {application.tier}")
    application.reject(by=by, reasons=[said["reason"]], note=said["note"])


Step = Callable[[Application, User, dict[str, Any]], None]
#: action -> (the button, its form, what happens to each)
BATCHES: dict[str, tuple[str, type[BatchForm], Step]] = {
    "assign_all": ("Assign", AssignBatchForm, _assign),
    "remind_all": ("Remind the claimer", BatchForm, _remind),
    "reject_all": ("Reject as spam or duplicate", RejectBatchForm, _reject),
}


class BatchActions(admin.ModelAdmin):
    actions = list(BATCHES)

    def has_lead_permission(self, request: HttpRequest) -> bool:
        """Whether to offer them; each row asks again for its own tier."""
        return request.user.has_perm("accounts.revoke_grant")

    @admin.action(description="Assign to a reviewer", permissions=["lead"])
    def assign_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._batch("assign_all", request, queryset)

    @admin.action(description="Remind the claimer", permissions=["lead"])
    def remind_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._batch("remind_all", request, queryset)

    @admin.action(description="Reject as spam or duplicate", permissions=["lead"])
    def reject_all(self, request: HttpRequest, queryset: QuerySet) -> HttpResponse | None:
        return self._batch("reject_all", request, queryset)

    def _batch(self, action: str, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """List what is meant and ask; once confirmed, do it row by row."""
        button, form_class, step = BATCHES[action]
        chosen = list(queryset[: MOST + 1])
        _demand_all_found(request, chosen)
        if len(chosen) > MOST:
            self.message_user(request, f"choose at most {MOST} at once", messages.ERROR)
            return None
        confirmed = "confirmed" in request.POST
        form = form_class(request.POST if confirmed else None)
        if not (confirmed and form.is_valid()):
            context = {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": button,
                "form": form,
                "button": button,
                "applications": chosen,
                "action": action,
                "checkbox": ACTION_CHECKBOX_NAME,
                "is_nav_sidebar_enabled": False,
            }
            return TemplateResponse(request, "admin/accounts/application/batch.html", context)
        self._each(request, chosen, step, form.cleaned_data, button)
        return None

    def _each(
        self,
        request: HttpRequest,
        chosen: list[Application],
        step: Step,
        said: dict[str, Any],
        button: str,
    ) -> None:
        done = []
        for application in chosen:
            try:
                step(application, signed_in(request), said)
            except AccountsError as error:
                text = f"{application.reference} was left as it is: {error}"
                self.message_user(request, text, messages.ERROR)
            else:
                done.append(application.reference)
        if done:
            self.message_user(request, f"{button}: {', '.join(done)}", messages.SUCCESS)


def _demand_all_found(request: HttpRequest, chosen: list[Application]) -> None:
    """An application of another tier does not exist for this person, in a batch either."""
    asked = set(request.POST.getlist(ACTION_CHECKBOX_NAME))
    across = request.POST.get("select_across") == "1"
    if not across and asked != {str(application.pk) for application in chosen}:
        raise Http404("no such application among those of your tiers")
