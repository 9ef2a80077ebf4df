"""The admin of applications: the queue, the review page and their addresses."""

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
from accounts.errors import AccountsError
from accounts.review import queue
from accounts.review.desk import decisions, export, preview, review_page
from accounts.review.desk.batch import BatchActions
from accounts.review.desk.change_list import FILTERS, Columns, Queue, searched
from accounts.review.forms import ActionForm
from accounts.review.queue import Desk
from accounts.users import reauthentication
from accounts.web.current_user import signed_in
from accounts.web.row_ids import is_number

ALONE = "No other reviewer of this tier could give the second approval."
CHANGED = "The mail is not the one you saw any more; read it again, then decide."


@admin.register(Application)
class ApplicationAdmin(BatchActions, Columns, ReadOnlyAdmin):
    list_display = [
        *("reference", "project", "person", "organisation", "tier", "state", "age", "due"),
        *("claimer", "flags"),
    ]
    list_display_links = ["reference", "project"]
    list_filter = FILTERS
    search_fields = ["pk"]  # shows the box; what is searched stands in `queue.searched`
    search_help_text = "Reference, name, address, organisation or title"
    ordering = ["submitted_at", "pk"]
    list_per_page = 50
    list_max_show_all = 500
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Only those of the tiers this person's roles cover; others do not exist for them."""
        readable = Application.objects.readable_by(signed_in(request))
        return queue.with_facts(readable).select_related(
            "applicant", "tier__licence", "claimed_by", "form", "first_approval__reviewer"
        )

    # -- the queue -----------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[Queue]:
        return Queue

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet, bool]:
        return searched(queryset, search_term), False

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        extra = {
            "title": "Applications",
            "is_nav_sidebar_enabled": False,
            "may_review": request.user.has_perm(decisions.REVIEW),
            **(extra_context or {}),
        }
        return super().changelist_view(request, extra)

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The list as it is filtered, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            shown: Any = self.get_changelist_instance(request)
        except IncorrectLookupParameters:  # an address that no link of ours has
            return redirect("admin:accounts_application_changelist")
        return export.answer(shown.get_queryset(request), signed_in(request), shown.chosen)

    def next(self, request: HttpRequest) -> HttpResponse:
        """Open the next unclaimed application, after the one named, if one is."""
        if not request.user.has_perm(decisions.REVIEW):
            raise PermissionDenied
        after = request.GET.get("after", "")
        shown = self.get_queryset(request).filter(pk=after).first() if is_number(after) else None
        return self._open_next(request, shown)

    def _open_next(self, request: HttpRequest, after: Application | None) -> HttpResponseRedirect:
        following = queue.next_for(signed_in(request), after)
        if following is None:
            return self._none_unclaimed(request)
        return redirect("admin:accounts_application_change", following.pk)

    def _none_unclaimed(self, request: HttpRequest) -> HttpResponseRedirect:
        """To what is on one's own desk, if anything is."""
        address = reverse("admin:accounts_application_changelist")
        me = signed_in(request)
        mine = self.get_queryset(request).filter(queue.on_desk(Desk.MINE, me))
        mine = mine.exclude(first_approval__reviewer=me)  # those wait for somebody else
        if left := mine.count():
            told = f"Nothing else is unclaimed; on your own desk: {left}."
            self.message_user(request, told, messages.INFO)
            return redirect(f"{address}?desk={Desk.MINE}")
        self.message_user(request, "Nothing else waits for you.", messages.INFO)
        return redirect(address)

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

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The one screen: what was asked, what is known, and the bar to decide with."""
        return self._review(request, self._found(request, object_id))

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The page itself tells the history, from the audit trail."""
        found = self._found(request, object_id)
        return redirect("admin:accounts_application_change", found.pk)

    def _found(self, request: HttpRequest, object_id: str | int) -> Application:
        """The application, if it is of this person's tiers; else 404."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if not is_number(str(object_id)):
            raise Http404("no such application")
        return get_object_or_404(self.get_queryset(request), pk=object_id)

    def _review(
        self,
        request: HttpRequest,
        application: Application,
        posted: dict[str, Form] | None = None,
        verdict: str = "",
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{application.reference} for {application.tier}",
            "is_nav_sidebar_enabled": False,
            **review_page.context(application, signed_in(request), posted, verdict),
        }
        return TemplateResponse(request, "admin/accounts/application/review.html", context)

    def preview(self, request: HttpRequest, application_id: int, action: str) -> HttpResponse:
        """The mail of a verdict as it would go now; nothing is written."""
        application = self._found(request, application_id)
        by = signed_in(request)
        if action not in review_page.rights(application, by).verdicts:
            raise PermissionDenied
        form = review_page.form_of(action, application, by, request.POST)
        if not _wants_json(request):
            return self._review(request, application, {action: form}, action)
        form.is_valid()
        said = form.values()
        shown = review_page.composed(preview.messages(action, application, by, said), said)
        until = said.get("until")
        shown["until"] = f"{until.day} {until:%B %Y}" if until else ""
        shown["missing"] = [text for texts in form.errors.values() for text in texts]
        if not shown["to"]:
            shown["missing"].append(ALONE)
        return JsonResponse(shown)

    def decide(self, request: HttpRequest, application_id: int, action: str) -> HttpResponse:
        """Run one button. A form that does not hold shows again with what was typed."""
        application = self._found(request, application_id)
        permission = decisions.PERMISSIONS.get(action, decisions.REVIEW)
        if action not in review_page.FORMS or not request.user.has_perm(permission):
            self.message_user(request, "you may not do that here", messages.ERROR)
            return redirect("admin:accounts_application_change", application.pk)
        if action in decisions.CHANGES_RIGHTS:
            reauthentication.demand(request, within=reauthentication.THIS_SITTING)
        form = review_page.form_of(action, application, signed_in(request), request.POST)
        if not form.is_valid():
            return self._again(request, application, action, form)
        if action in decisions.ENDS and not self._is_what_was_seen(
            request, application, action, form
        ):
            self.message_user(request, CHANGED, messages.WARNING)
            return self._again(request, application, action, form)
        try:
            done, shown = decisions.run(action, application, signed_in(request), form)
        except AccountsError as error:
            if _wants_json(request):
                return JsonResponse({"said": str(error)}, status=409)
            self.message_user(request, str(error), messages.ERROR)
            return self._again(request, application, action, form)
        if _wants_json(request):
            return JsonResponse({"said": done})
        self.message_user(request, f"{application.reference}: {done}", messages.SUCCESS)
        if action in decisions.ENDS:
            return self._open_next(request, None)
        return redirect("admin:accounts_application_change", shown.pk)

    def _is_what_was_seen(
        self, request: HttpRequest, application: Application, verdict: str, form: ActionForm
    ) -> bool:
        """Whether the mails that would go are those of the preview, where one was shown."""
        seen = request.POST.get("seen", "")
        composed = preview.messages(verdict, application, signed_in(request), form.values())
        return not seen or seen == preview.digest(composed)

    def _again(
        self, request: HttpRequest, application: Application, action: str, form: ActionForm
    ) -> HttpResponse:
        application = self._found(request, application.pk)
        verdict = action if action in review_page.VERDICTS else ""
        return self._review(request, application, {action: form}, verdict)


def _wants_json(request: HttpRequest) -> bool:
    return "application/json" in request.headers.get("Accept", "")
