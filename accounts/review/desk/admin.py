"""The admin of applications: the queue, the review page and their URLs."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import Form
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
)
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST, require_safe

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.applications.models import Application
from accounts.errors import AccountsError, ConfirmationRequired
from accounts.review import queue
from accounts.review.desk import export, preview, review_page
from accounts.review.desk.access import access_of
from accounts.review.desk.actions import ACTIONS, REVIEW, PreviewOutdated, get_action, offered
from accounts.review.desk.batch import BatchActions
from accounts.review.desk.change_list import FILTERS, Columns, Queue, search
from accounts.review.forms import ActionForm, verdict_data
from accounts.review.queue import Desk
from accounts.web.current_user import signed_in
from accounts.web.row_ids import is_row_id

NO_SECOND_REVIEWER = "No other reviewer of this tier could give the second approval."


@admin.register(Application)
class ApplicationAdmin(BatchActions, Columns, ReadOnlyAdmin):
    person_field = "applicant"
    list_display = [
        *("reference", "project", "person", "organisation", "tier", "state", "age", "due"),
        *("claimer", "flags"),
    ]
    list_display_links = ["reference", "project"]
    list_filter = FILTERS
    search_fields = ["pk"]  # only shows the search box; `change_list.search` does the search
    search_help_text = "Reference, name, address, organisation or title"
    ordering = ["submitted_at", "pk"]
    list_per_page = 50
    list_max_show_all = 500
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Return the applications of the tiers that the user's roles cover; others are 404."""
        readable = Application.objects.readable_by(signed_in(request))
        return queue.annotate_rows(readable).select_related(
            "applicant",
            "tier__licence",
            "claimed_by",
            "form",
            "first_approval__reviewer",
            "pending_by",
        )

    # -- the queue -----------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Queue]:
        return Queue

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        return search(queryset, search_term), False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        extra = {
            "title": "Applications",
            "is_nav_sidebar_enabled": False,
            "may_review": request.user.has_perm(REVIEW),
            "undoable": queue.undoable_by(signed_in(request)),
            **(extra_context or {}),
        }
        return super().changelist_view(request, extra)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """Return the filtered list as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            change_list: Any = self.get_changelist_instance(request)
        except IncorrectLookupParameters:  # no link of the portal has such a query string
            return redirect("admin:accounts_application_changelist")
        applications = change_list.get_queryset(request)
        return export.csv_response(applications, signed_in(request), change_list.active_filters)

    def next(self, request: HttpRequest) -> HttpResponse:
        """Open the next unclaimed application, after the one in `?after=` if given."""
        if not request.user.has_perm(REVIEW):
            raise PermissionDenied
        after = request.GET.get("after", "")
        current = self.get_queryset(request).filter(pk=after).first() if is_row_id(after) else None
        return self._open_next(request, current)

    def _open_next(self, request: HttpRequest, after: Application | None) -> HttpResponseRedirect:
        """Redirect to the next unclaimed application, or else to the user's own claims."""
        by = signed_in(request)
        following = queue.next_application(by, after)
        if following is not None:
            return redirect("admin:accounts_application_change", following.pk)
        changelist = reverse("admin:accounts_application_changelist")
        if claims := queue.awaiting_claimer(self.get_queryset(request), by).count():
            message = f"Nothing else is unclaimed; on your own desk: {claims}."
            self.message_user(request, message, messages.INFO)
            return redirect(f"{changelist}?desk={Desk.MINE}")
        self.message_user(request, "Nothing else waits for you.", messages.INFO)
        return redirect(changelist)

    # -- one application -----------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("export/", view(require_safe(self.export)), name="accounts_application_export"),
            path("next/", view(require_safe(self.next)), name="accounts_application_next"),
            path(
                "<int:application_id>/decide/<slug:action>/",
                view(require_POST(self.decide)),
                name="accounts_application_decide",
            ),
            path(
                "<int:application_id>/preview/<slug:action>/",
                view(require_POST(self.preview)),
                name="accounts_application_preview",
            ),
            *super().get_urls(),
        ]

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        """Show the review page instead of Django's form."""
        return self._render(request, self._get_application(request, object_id))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        """Redirect to the review page, which shows the audit trail."""
        application = self._get_application(request, object_id)
        return redirect("admin:accounts_application_change", application.pk)

    def _get_application(self, request: HttpRequest, object_id: str | int) -> Application:
        """Return the application. Raises Http404 if it is outside the user's tiers."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not is_row_id(str(object_id)):
            raise Http404("no such application")
        return get_object_or_404(self.get_queryset(request), pk=object_id)

    def _render(
        self,
        request: HttpRequest,
        application: Application,
        posted: dict[str, Form] | None = None,
    ) -> HttpResponse:
        """Render the review page; `posted` maps the name of an action to its posted form."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{application.reference} for {application.tier}",
            "is_nav_sidebar_enabled": False,
            **review_page.context(application, signed_in(request), posted),
        }
        return TemplateResponse(request, "admin/accounts/application/review.html", context)

    def preview(self, request: HttpRequest, application_id: int, action: str) -> HttpResponse:
        """Show the mail that a verdict would send now, without saving anything."""
        application = self._get_application(request, application_id)
        by = signed_in(request)
        verdict = offered(access_of(application, by)).get(action)
        if verdict is None or verdict.compose is None:
            raise PermissionDenied
        form = verdict.bind(application, by, request.POST)
        if not _wants_json(request):
            return self._render(request, application, {action: form})
        form.is_valid()
        values = form.values()
        shown = preview.summary(verdict.compose(application, by, values), values)
        until = values.get("until")
        shown["until"] = f"{until.day} {until:%B %Y}" if until else ""
        shown["missing"] = [text for texts in form.errors.values() for text in texts]
        if not shown["to"]:
            shown["missing"].append(NO_SECOND_REVIEWER)
        return JsonResponse(shown)

    def decide(self, request: HttpRequest, application_id: int, action: str) -> HttpResponse:
        """Run one action. Show an invalid form, or an undone verdict, again with its input."""
        application = self._get_application(request, application_id)
        by = signed_in(request)
        try:
            chosen = get_action(action, by)
        except AccountsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect("admin:accounts_application_change", application.pk)
        form = chosen.bind(application, by, request.POST)
        if not form.is_valid():
            return self._render_again(request, application, action, form)
        previewed = request.POST.get("seen", "")
        try:
            outcome = chosen.perform(form, previewed=previewed)
        except AccountsError as error:
            if _wants_json(request):
                return JsonResponse({"said": str(error)}, status=409)
            if isinstance(error, ConfirmationRequired):
                form.open_points = error.points
                return self._render_again(request, application, action, form)
            is_warning = isinstance(error, PreviewOutdated)
            level = messages.WARNING if is_warning else messages.ERROR
            self.message_user(request, str(error), level)
            return self._render_again(request, application, action, form)
        if _wants_json(request):
            return JsonResponse({"said": outcome.message})
        text = f"{application.reference}: {outcome.message}"
        self.message_user(request, text, messages.SUCCESS)
        if chosen.is_verdict:
            return self._open_next(request, None)
        if (undone := outcome.undone) is not None:
            form = ACTIONS[undone.name].bind(application, by, verdict_data(undone))
            return self._render_again(request, application, undone.name, form)
        return redirect("admin:accounts_application_change", outcome.application.pk)

    def _render_again(
        self, request: HttpRequest, application: Application, action: str, form: ActionForm
    ) -> HttpResponse:
        return self._render(request, self._get_application(request, application.pk), {action: form})


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")
