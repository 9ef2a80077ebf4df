"""Admin pages of records that control access: saving requires a recent authentication."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from accounts.users import reauthentication


class ReauthenticatedSave(admin.ModelAdmin):
    """Requires re-authentication on POST; the session stores the input until then."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "POST":
            reauthentication.require_recent(request)
        return super().changeform_view(request, *args, **kwargs)
