"""Admin pages of records that control access: saving requires a recent authentication."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.users import reauthentication


class ReauthenticatedSave(admin.ModelAdmin):
    """Requires re-authentication on POST; the session stores the input until then."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST":
            reauthentication.require_recent(request)
        return super().changeform_view(request, object_id, form_url, extra_context)
