"""Grants in the admin: read-only, with actions to suspend, resume and revoke."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.grants.admin_actions import ResumeForm, RevokeForm, SuspendForm, act
from accounts.grants.models import Grant
from accounts.roles.tier_scoped_admin import TierScopedAdmin
from accounts.web.current_user import signed_in


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin, TierScopedAdmin):
    """Staff read the grants of their roles' tiers; lead reviewers suspend, resume and revoke."""

    person_field = "user"
    list_display = ["user", "tier", "state", "origin", "starts_at", "expires_at", "made_by"]
    list_filter = ["state", "tier", "origin"]
    search_fields = ["user__username", "user__email"]
    list_select_related = ["user", "tier", "made_by"]
    actions = ["suspend", "resume", "revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Grant]:
        return Grant.objects.readable_by(signed_in(request))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.revoke_grant")

    @admin.action(description="Suspend, with a reason", permissions=["revoke"])
    def suspend(self, request: HttpRequest, queryset: QuerySet[Grant]) -> HttpResponse:
        return act(self, request, queryset, SuspendForm)

    @admin.action(description="Resume", permissions=["revoke"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Grant]) -> HttpResponse:
        return act(self, request, queryset, ResumeForm)

    @admin.action(description="Revoke, with a reason", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Grant]) -> HttpResponse:
        return act(self, request, queryset, RevokeForm)
