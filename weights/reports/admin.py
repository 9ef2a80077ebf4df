"""Admin pages for the triage of reports."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.errors import AccountsError
from accounts.grants.outstanding_links import Receipt
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.reports import permissions, triage
from weights.reports.forms import (
    AssignForm,
    DismissForm,
    NoteForm,
    PublishForm,
    RecallForm,
    SuspendForm,
)
from weights.reports.models import Report

Cleaned = dict[str, Any]
#: Action -> its form, the label of its button, and the function that performs it.
ACTIONS: dict[
    str, tuple[type[forms.Form], str, Callable[[Report, User, Cleaned], Receipt | None]]
] = {
    "assign": (AssignForm, "Assign", lambda r, by, data: triage.assign(r, data["to"], by=by)),
    "note": (NoteForm, "Add the note", lambda r, by, data: triage.note(r, data["text"], by=by)),
    "suspend": (
        SuspendForm,
        "Suspend access",
        lambda r, by, data: triage.suspend(r, by=by, **data),
    ),
    "publish": (PublishForm, "Publish", lambda r, by, data: _publish(r, by, data)),
    "ask_recall": (
        RecallForm,
        "Request a recall",
        lambda r, by, data: triage.ask_recall(r, data["reason"], by=by),
    ),
    "dismiss": (
        DismissForm,
        "Close without action",
        lambda r, by, data: triage.dismiss(r, data["answer"], by=by),
    ),
}
#: Forms whose choices depend on the report and on the user's tiers.
_REPORT_FORMS = (AssignForm, SuspendForm, PublishForm)


def _publish(report: Report, by: User, data: Cleaned) -> None:
    triage.publish(report, by=by, **data)


@admin.register(Report)
class ReportAdmin(ReadOnlyAdmin):
    """Reports in the tiers of the user's roles, with a form per action on the report's page.

    The text is shown as plain text: URLs in it are not links.
    """

    list_display = ["reference", "kind", "checkpoint", "state", "assigned_to", "created_at"]
    list_filter = ["state", "kind"]
    list_select_related = ["checkpoint", "assigned_to"]
    date_hierarchy = "created_at"
    change_form_template = "admin/weights/report/triage.html"
    fields = [
        *("reference", "kind", "state", "assigned_to"),
        *("checkpoint", "path", "text", "contact"),
    ]
    readonly_fields = ["reference"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Report]:
        return permissions.readable_by(signed_in(request))

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        report = self.get_object(request, object_id)
        if report is None or not self.has_view_permission(request, report):
            return super().change_view(request, object_id, *args, **kwargs)
        bound: dict[str, forms.Form] = {}
        if request.method == "POST":
            done = self._perform(request, report, bound)
            if done is not None:
                return done
        by = signed_in(request)
        available = triage.available_actions(report, by)
        context = {
            "report": report,
            "entries": report.entries.select_related("by"),
            "issues": report.issues.all(),
            "may_triage": permissions.may_triage(by, report),
            "moves": [
                (name, button, bound.get(name) or _form(kind, None, name, report, by))
                for name, (kind, button, _) in ACTIONS.items()
                if name in available or name in bound
            ],
            "title": report.reference,
        }
        request.method = "GET"  # a refused form is shown on the report's own page
        return super().change_view(request, object_id, extra_context=context)

    def _perform(
        self, request: HttpRequest, report: Report, bound: dict[str, forms.Form]
    ) -> HttpResponse | None:
        """Performs the posted action; None if its form is invalid and must be shown again."""
        name = request.POST.get("move", "")
        by = signed_in(request)
        if name not in ACTIONS or not permissions.may_triage(by, report):
            raise PermissionDenied("you may not triage this report")
        form_class, _, perform = ACTIONS[name]
        form = bound[name] = _form(form_class, request.POST, name, report, by)
        if not form.is_valid():
            return None
        try:
            receipt = perform(report, by, form.cleaned_data)
        except AccountsError as error:
            self.message_user(request, f"Nothing was done: {error}.", messages.ERROR)
            return HttpResponseRedirect(request.path)
        if receipt is not None:
            return self._receipt(request, form, receipt)
        report.refresh_from_db()
        self.message_user(request, f"{report}: {report.get_state_display()}", messages.SUCCESS)
        return HttpResponseRedirect(request.path)

    def _receipt(self, request: HttpRequest, form: forms.Form, receipt: Receipt) -> HttpResponse:
        grant = form.cleaned_data["grant"]
        context = {
            **self.admin_site.each_context(request),
            "title": "Suspend access: receipt",
            "outcomes": [{"grant": grant, "receipt": receipt}],
        }
        return TemplateResponse(request, "admin/accounts/grant/receipts.html", context)


def _form(
    form_class: type[forms.Form], data: Any, name: str, report: Report, by: User
) -> forms.Form:
    if issubclass(form_class, _REPORT_FORMS):
        return form_class(data, prefix=name, report=report, by=by)
    return form_class(data, prefix=name)
