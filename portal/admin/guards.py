"""Handle malformed URLs and forms on every page of the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import flatten
from django.contrib.admin.widgets import AutocompleteSelect
from django.db import DataError
from django.db.models import ForeignKey, QuerySet
from django.http import Http404, HttpRequest
from django.utils.text import capfirst

from accounts.admin_pages.words import CODES, CodeFilter, in_words, is_raw
from accounts.web.row_ids import is_row_id

#: Errors for values that no column can hold.
_INVALID_VALUE = (ValueError, TypeError, OverflowError, DataError)


class _ValidatedSelect(AutocompleteSelect):
    """Ignores submitted values that are not primary keys."""

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [one for one in value if is_row_id(str(one))], attrs)


def _own_rows(model: Any, site: admin.AdminSite, request: HttpRequest) -> QuerySet[Any] | None:
    """The records of a related model that its admin page shows the user; None without a page."""
    page = site._registry.get(model)
    return page.get_queryset(request) if page else None


class OwnRowsFilter(admin.RelatedFieldListFilter):
    """Offers only records that the user may see, so that no menu names those of other tiers."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        rows = _own_rows(field.related_model, model_admin.admin_site, request)
        if rows is None:
            return super().field_choices(field, request, model_admin)
        return [(row.pk, str(row)) for row in rows]


admin.FieldListFilter.register(lambda field: bool(field.remote_field), OwnRowsFilter, True)


class GuardedAdmin(admin.ModelAdmin):
    """Mixed into every ModelAdmin when the site registers it."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Refuse regex lookups: a malformed one raises a database error, a slow one blocks it."""
        return not lookup.endswith("regex") and super().lookup_allowed(lookup, value, request)

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        """Raises Http404 for unknown records, and for those that the user may not see."""
        record = super().get_object(request, object_id, from_field)
        if record is None:
            raise Http404("there is no such record here")
        return record

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Sort newest first unless the page declares an order; autocompletes need one."""
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows if rows.ordered else rows.order_by("-pk")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Redirect invalid filters to the unfiltered list, as Django does for unknown keys."""
        try:
            return super().get_changelist_instance(request)
        except _INVALID_VALUE as error:
            raise IncorrectLookupParameters(str(error)) from error

    def get_list_display(self, request: HttpRequest) -> Any:
        return [in_words(name, self.model) for name in super().get_list_display(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Show words instead of codes in filters."""
        return [
            (one, CodeFilter) if one in CODES and in_words(one, self.model) != one else one
            for one in super().get_list_filter(request)
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show words and units on pages without a form, except in fieldsets of raw records."""
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, options if is_raw(options) else {**options, "fields": self._worded(options)})
            for title, options in fieldsets
        ]

    def _worded(self, options: Any) -> list[Any]:
        return [in_words(name, self.model) for name in flatten(options["fields"])]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Title the list with its records; Django's "Select grant to view" is an instruction."""
        title = capfirst(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": title, **(extra_context or {})})

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        """Refuse malformed primary keys before they are queried."""
        if all(map(is_row_id, request.POST.getlist(ACTION_CHECKBOX_NAME))):
            return super().response_action(request, queryset, *args)
        self.message_user(request, "Nothing was changed: select rows of this list.", messages.ERROR)
        return None

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any], request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name in self.get_autocomplete_fields(request):
            kwargs.setdefault("widget", _ValidatedSelect(db_field, self.admin_site))
        rows = _own_rows(db_field.related_model, self.admin_site, request)
        if rows is not None:
            kwargs.setdefault("queryset", rows)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_view_on_site_url(self, obj: Any = None) -> str | None:
        """The record's own URL: the redirect by content type reveals that a row exists."""
        has_page = self.view_on_site and hasattr(obj, "get_absolute_url")
        return str(obj.get_absolute_url()) if has_page else None


def guarded(admin_class: type[admin.ModelAdmin]) -> type[admin.ModelAdmin]:
    """A subclass of `admin_class` with the guards."""
    return type(
        admin_class.__name__, (GuardedAdmin, admin_class), {"__module__": admin_class.__module__}
    )
