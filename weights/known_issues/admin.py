"""Admin pages of known issues."""

from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.errors import AccountsError
from accounts.roles.tier_scoped_admin import TierScopedAdmin
from accounts.web.current_user import signed_in
from weights.known_issues import services
from weights.known_issues.models import KnownIssue


@admin.register(KnownIssue)
class KnownIssueAdmin(TierScopedAdmin, ReadOnlyAdmin):
    """Known issues in the tiers of the user's roles, to resolve or withdraw."""

    tier_field = "checkpoint__tier"
    list_display = ["title", "checkpoint", "kind", "published_at", "resolved_at", "withdrawn_at"]
    list_filter = ["kind"]
    list_select_related = ["checkpoint"]
    actions = ["resolve", "withdraw"]

    def has_triage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.triage_report")

    @admin.action(description="Mark as resolved", permissions=["triage"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[KnownIssue]) -> None:
        self._each(request, queryset, services.resolve)

    @admin.action(description="Withdraw", permissions=["triage"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[KnownIssue]) -> None:
        self._each(request, queryset, services.withdraw)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[KnownIssue], change: Callable[..., None]
    ) -> None:
        for issue in queryset.select_related("checkpoint__tier"):
            try:
                change(issue, by=signed_in(request))
            except AccountsError as error:
                self.message_user(request, f"{issue}: {error}", messages.ERROR)
