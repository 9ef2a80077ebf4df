"""What every page of the admin does with addresses and forms that no button of ours sends."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import DataError
from django.db.models import ForeignKey, QuerySet
from django.http import HttpRequest

from accounts.web.row_ids import is_row_id

#: What the database and Python say of values that no column can hold.
_NO_VALUE = (ValueError, TypeError, OverflowError, DataError)


class _OfNumbers(AutocompleteSelect):
    """Chooses among rows by their numbers; what is none was not chosen."""

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [one for one in value if is_row_id(str(one))], attrs)


class Guarded(admin.ModelAdmin):
    """Mixed into every page of the admin where the site registers it."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """No patterns: a broken one ends in an error of the database, a slow one holds it."""
        return not lookup.endswith("regex") and super().lookup_allowed(lookup, value, request)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Filters that nothing can match lead back to the whole list, as unknown ones do."""
        try:
            return super().get_changelist_instance(request)
        except _NO_VALUE as error:
            raise IncorrectLookupParameters(str(error)) from error

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        """Refuse numbers that are none before anybody looks for them."""
        if all(map(is_row_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return super().response_action(request, queryset, *args)
        self.message_user(request, "Nothing was done: choose among the rows.", messages.ERROR)
        return None

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", _OfNumbers(db_field, self.admin_site))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """The record's own address: what leads there asks for the right to look at the record."""
        has_page = self.view_on_site and hasattr(obj, "get_absolute_url")
        return str(obj.get_absolute_url()) if has_page else None


def guarded(admin_class: type[admin.ModelAdmin]) -> type[admin.ModelAdmin]:
    """The same page with the guards before it."""
    return type(
        admin_class.__name__, (Guarded, admin_class), {"__module__": admin_class.__module__}
    )
