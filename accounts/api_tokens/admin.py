"""API tokens in the admin: read-only, without their digests."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.api_tokens.models import ApiToken
from accounts.roles.account_scope import accounts_within
from accounts.web.current_user import signed_in


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """Tokens of people who are related only to the user's tiers.

    A token opens what its owner may open, and may list private checkpoints. A token of somebody
    related to other tiers therefore concerns those tiers too.
    """

    list_display = [
        "name",
        "user",
        "last_four",
        "may",
        "must_be_replaced",
        "expires_at",
        "revoked_at",
    ]
    search_fields = ["user__username", "name"]
    exclude = ["digest"]

    @admin.display(description="Must be replaced", boolean=True)
    def must_be_replaced(self, token: ApiToken) -> bool:
        return token.must_be_replaced

    @admin.display(description="Scopes")
    def may(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def get_queryset(self, request: HttpRequest) -> Any:
        owners = accounts_within(signed_in(request), "accounts.view_apitoken")
        return super().get_queryset(request).filter(user__in=owners).select_related("user")
