"""Read-only admin pages, for records that only services change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_pages.words import in_words


class NeverDeleted(admin.options.BaseModelAdmin):
    """Disables deletion."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(NeverDeleted, admin.TabularInline):
    """Read-only rows on the page of another record."""

    extra = 0
    template = "admin/read_only_inline.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [in_words(name, self.model) for name in super().get_fields(request, obj)]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [in_words(name, self.model) for name in super().get_readonly_fields(request, obj)]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(NeverDeleted, admin.ModelAdmin):
    """The view permission grants access; adding, changing and deleting are disabled."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Return the record, or None for an unknown one: the guarded site then returns 404."""
        return super().get_object(request, object_id, from_field)

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse filters on excluded fields, which would reveal their values."""
        if lookup.partition("__")[0] in (self.exclude or ()):
            return False
        allowed: bool = super().lookup_allowed(lookup, value, request)
        return allowed

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
