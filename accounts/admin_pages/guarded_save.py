"""Records that decide who may read what: saving them asks who it is, where that is long ago."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.users import reauthentication


class SavedByTheirOwner(admin.ModelAdmin):
    """Reading and typing take as long as they take; what was typed waits for the password."""

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method == "POST":
            reauthentication.demand(request)
        return super().changeform_view(request, object_id, form_url, extra_context)
