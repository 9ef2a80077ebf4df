"""Grants and tokens: shown, and ended by their own methods."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from accounts import break_glass
from accounts.admin.readonly import ReadOnlyAdmin
from accounts.errors import AccountsError
from accounts.models import ApiToken, Grant, RoleAssignment
from accounts.roles import GRANT_KEEPERS
from accounts.views.people import signed_in


class RevokeForm(forms.Form):
    reason = forms.CharField(
        min_length=5, max_length=500, help_text="Told to the holder and kept in the audit trail"
    )


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin):
    list_display = ["user", "tier", "state", "origin", "starts_at", "expires_at", "made_by"]
    list_filter = ["state", "tier", "origin"]
    search_fields = ["user__username", "user__email"]
    list_select_related = ["user", "tier", "made_by"]
    actions = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.revoke_grant")

    @admin.action(description="Revoke, with a reason", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[Grant]) -> HttpResponse | None:
        """Ask for the reason first, then end each grant and mail its holder."""
        form = RevokeForm(request.POST if "reason" in request.POST else None)
        if not form.is_valid():
            context = {
                **self.admin_site.each_context(request),
                "title": "Revoke access",
                "form": form,
                "grants": queryset.select_related("user", "tier"),
                "checkbox": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/accounts/grant/revoke.html", context)
        for grant in queryset.select_related("user", "tier"):
            self._revoke_one(request, grant, form.cleaned_data["reason"])
        return None

    def _revoke_one(self, request: HttpRequest, grant: Grant, reason: str) -> None:
        if not RoleAssignment.objects.covers(signed_in(request), GRANT_KEEPERS, grant.tier):
            raise PermissionDenied(f"you are no lead reviewer of {grant.tier}")
        try:
            break_glass.take_away(grant.user, grant.tier, reason=reason, by=signed_in(request))
        except AccountsError as error:
            self.message_user(request, f"{grant}: {error}", messages.ERROR)
        else:
            self.message_user(request, f"{grant}: revoked", messages.SUCCESS)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ["name", "user", "last_four", "scopes", "expires_at", "revoked_at"]
    search_fields = ["user__username", "name"]
    exclude = ["digest"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user")
