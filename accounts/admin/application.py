"""Applications: the queue, the answers, and the decision bar. A door to the model's methods."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from accounts.admin.readonly import ReadOnlyAdmin
from accounts.decision_forms import (
    ActionForm,
    ApproveForm,
    NoForm,
    RejectForm,
    ReopenForm,
    ReturnForm,
)
from accounts.errors import AccountsError
from accounts.models import Application, AuditEvent, RoleAssignment, User
from accounts.moves import MOVES, Status
from accounts.questions import answered
from accounts.roles import GRANT_KEEPERS
from accounts.views.people import signed_in

#: What each button does: the form that it posts, and the method that it calls.
_FORMS: dict[str, type[ActionForm]] = {
    "claim": NoForm,
    "release": NoForm,
    "approve": ApproveForm,
    "return": ReturnForm,
    "reject": RejectForm,
    "reopen": ReopenForm,
}
_REVIEW = "accounts.review_application"
#: Reopening takes away what was given, and so it needs the right to do that.
_PERMISSIONS = {"reopen": "accounts.revoke_grant"}


def _act(
    action: str, application: Application, request: HttpRequest, values: Any
) -> tuple[str, Application]:
    """Call the method that belongs to a button; what it says, and the application to show next."""
    by = signed_in(request)
    if action == "reopen":
        reopened = Application.objects.reopen(
            application.applicant, application.tier, by=by, **values
        )
        return f"reopened as {reopened.reference}; what access there was has ended", reopened
    return _decided(action, application, by, values), application


def _decided(action: str, application: Application, by: User, values: Any) -> str:
    match action:
        case "claim":
            application.claim(by=by)
            return "claimed: nobody else can decide it now"
        case "release":
            application.release(by=by)
            return "released to the queue"
        case "approve":
            grant = application.approve(by=by, **values)
            if grant is None:
                return "approved by you; it waits for a second reviewer"
            return f"approved until {grant.expires_at:%d %B %Y}; the link is on its way"
        case "return":
            application.return_for_changes(by=by, **values)
            return "returned to the applicant"
        case _:
            application.reject(by=by, **values)
            return "rejected; the applicant is told why"


@admin.register(Application)
class ApplicationAdmin(ReadOnlyAdmin):
    list_display = ["reference", "title", "applicant", "tier", "status", "submitted_at", "claimer"]
    list_filter = ["status", "tier"]
    search_fields = ["applicant__username", "applicant__email", "pk"]
    ordering = ["submitted_at", "pk"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Application]:
        """Only those of the tiers this person's roles cover; others do not exist for them."""
        return Application.objects.readable_by(signed_in(request)).select_related(
            "applicant", "tier", "claimed_by"
        )

    @admin.display(description="Project")
    def title(self, application: Application) -> str:
        return str(application.answers.get("title", ""))[:80]

    @admin.display(description="Claimed by")
    def claimer(self, application: Application) -> str:
        return application.claimed_by.username if application.claimed_by else "–"

    def get_urls(self) -> list[URLPattern]:
        decide = path(
            "<int:application_id>/decide/<slug:action>/",
            self.admin_site.admin_view(require_POST(self.decide)),
            name="accounts_application_decide",
        )
        return [decide, *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """The one screen: what was asked, what was decided, and the bar to decide with."""
        application = self.get_object(request, object_id)
        if application is None or not self.has_view_permission(request, application):
            raise Http404("no such application among those of your tiers")
        return self._review(request, application)

    def _review(
        self, request: HttpRequest, application: Application, **forms: Form
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{application.reference} for {application.tier}",
            **self._evidence(request, application),
            **forms,
        }
        return TemplateResponse(request, "admin/accounts/application/review.html", context)

    def decide(self, request: HttpRequest, application_id: int, action: str) -> HttpResponse:
        """Run one button. A form that does not hold shows again with what was typed."""
        application = get_object_or_404(self.get_queryset(request), pk=application_id)
        page = reverse("admin:accounts_application_change", args=[application.pk])
        permission = _PERMISSIONS.get(action, _REVIEW)
        if action not in _FORMS or not request.user.has_perm(permission):
            self.message_user(request, "you may not do that here", messages.ERROR)
            return redirect(page)
        form = _FORMS[action](request.POST, prefix=action)
        if not form.is_valid():
            return self._review(request, application, **{f"{action}_form": form})
        try:
            done, shown = _act(action, application, request, form.values())
        except AccountsError as error:
            self.message_user(request, str(error), messages.ERROR)
            return self._review(request, application, **{f"{action}_form": form})
        self.message_user(request, f"{application.reference}: {done}", messages.SUCCESS)
        return redirect(reverse("admin:accounts_application_change", args=[shown.pk]))

    def _evidence(self, request: HttpRequest, application: Application) -> dict[str, Any]:
        snapshot = application.latest_snapshot
        applicant = application.applicant
        may_decide = request.user.has_perm(_REVIEW)
        return {
            "application": application,
            "snapshot": snapshot,
            "answers": answered(snapshot.answers if snapshot else {}),
            "addresses": EmailAddress.objects.filter(user=applicant).order_by("-primary"),
            "earlier": applicant.applications.exclude(pk=application.pk)
            .exclude(status=Status.DRAFT)
            .select_related("tier"),
            "decisions": application.decisions.select_related("reviewer", "snapshot"),
            "events": AuditEvent.objects.about(application),
            "may_decide": may_decide and application.applicant_id != request.user.pk,
            "is_own": application.applicant_id == request.user.pk,
            "approve_form": ApproveForm(prefix="approve", initial=_term(application)),
            "return_form": ReturnForm(prefix="return"),
            "reject_form": RejectForm(prefix="reject"),
            "may_reopen": _may_reopen(application, signed_in(request)),
            "reopen_form": ReopenForm(prefix="reopen"),
        }


def _may_reopen(application: Application, by: User) -> bool:
    """Whether to offer it: on the last word between applicant and tier, to a lead reviewer."""
    same = application.applicant.applications.filter(tier=application.tier)
    later = same.filter(pk__gt=application.pk).exclude(status=Status.DRAFT)
    return (
        application.status in MOVES["reopen"].leaves
        and application.applicant_id != by.pk
        and by.has_perm(_PERMISSIONS["reopen"])
        and RoleAssignment.objects.covers(by, GRANT_KEEPERS, application.tier)
        and not later.exists()
        and not same.open().exists()
    )


def _term(application: Application) -> dict[str, int]:
    return {"days": application.tier.term_days}
