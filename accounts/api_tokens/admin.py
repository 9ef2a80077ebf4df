"""API tokens in the admin: read-only, without their digests."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.api_tokens.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
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
        return super().get_queryset(request).select_related("user")
