"""An admin page that shows and never writes: such records change by named methods only."""

from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest


class ReadOnlyAdmin(admin.ModelAdmin):
    """View permission decides who sees it; nobody adds, changes or deletes here."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """One that this person may not know of, and one that never was, are both 404."""
        found = super().get_object(request, object_id, from_field)
        if found is None:
            raise Http404("there is no such record here")
        return found

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """What a page doesn't show is not found out by a filter in its address either."""
        if lookup.partition("__")[0] in (self.exclude or ()):
            return False
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
