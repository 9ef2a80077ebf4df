"""Admin pages of the logbook: release owners and administrators edit it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelChoiceField, ModelForm
from django.http import HttpRequest

from accounts.errors import NotAllowed
from accounts.roles.models import in_tiers
from accounts.roles.tier_scoped_admin import permitted_tiers
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint, Family
from weights.logbook import services
from weights.logbook.forms import SeriesForm
from weights.logbook.models import LogbookEntry, LogbookQuerySet, LogbookRecord, LogbookSeries

_RECORD = ("created_at", "created_by", "changed_at", "changed_by")


class LogbookAdmin(admin.ModelAdmin):
    """Records about checkpoints in the tiers of the user's roles.

    Editing records about families requires a role for all tiers.
    """

    # A URL typed without a scheme gets https.
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    list_select_related = ["checkpoint", "family", "changed_by"]
    readonly_fields = _RECORD
    search_fields = ["title", "source", "checkpoint__name", "family__name"]

    @admin.display(description="About")
    def subject(self, record: LogbookRecord) -> str:
        return str(record.subject)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        user = signed_in(request)
        records: LogbookQuerySet[Any] = self.model._default_manager.visible_to(user)
        tiers = permitted_tiers(user, f"weights.view_{self.opts.model_name}")
        records = in_tiers(records, tiers, "checkpoint__tier")
        return records.select_related("checkpoint__tier", "family")

    def has_add_permission(self, request: HttpRequest) -> bool:
        allowed: bool = super().has_add_permission(request)
        return allowed and services.editable_tiers(signed_in(request)) != set()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and self._may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and self._may_edit(request, obj)

    def _may_edit(self, request: HttpRequest, record: LogbookRecord | None) -> bool:
        user = signed_in(request)
        if record is None:
            return services.editable_tiers(user) != set()
        return services.may_edit(user, record.checkpoint)

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField | None:
        """Offers only checkpoints in the user's tiers, and families only to roles for all tiers."""
        user = signed_in(request)
        tiers = services.editable_tiers(user)
        if db_field.name == "checkpoint":
            kwargs["queryset"] = in_tiers(Checkpoint.objects.visible_to(user), tiers)
        elif db_field.name == "family":
            kwargs["queryset"] = Family.objects.all() if tiers is None else Family.objects.none()
        field: ModelChoiceField | None = super().formfield_for_foreignkey(
            db_field, request, **kwargs
        )
        return field

    def save_model(
        self, request: HttpRequest, obj: LogbookRecord, form: ModelForm, change: bool
    ) -> None:
        try:
            services.save(obj, by=signed_in(request))
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error

    def delete_model(self, request: HttpRequest, obj: LogbookRecord) -> None:
        try:
            services.delete(obj, by=signed_in(request))
        except NotAllowed as error:
            raise PermissionDenied(str(error)) from error

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for record in queryset:
            self.delete_model(request, record)


@admin.register(LogbookEntry)
class LogbookEntryAdmin(LogbookAdmin):
    list_display = ["title", "date", "cause", "subject", "changed_at", "changed_by"]
    list_filter = ["cause"]
    date_hierarchy = "date"
    search_fields = [*LogbookAdmin.search_fields, "text"]
    fieldsets = [
        (None, {"fields": ["checkpoint", "family", "date", "shown_date", "cause", "step"]}),
        ("What happened", {"fields": ["title", "text", "source", "source_url"]}),
        ("Record", {"fields": _RECORD}),
    ]


@admin.register(LogbookSeries)
class LogbookSeriesAdmin(LogbookAdmin):
    form = SeriesForm
    list_display = ["title", "subject", "axis", "unit", "changed_at", "changed_by"]
    fieldsets = [
        (None, {"fields": ["checkpoint", "family", "title", "axis", "unit", "points"]}),
        ("Source", {"fields": ["source", "source_url"]}),
        ("Record", {"fields": _RECORD}),
    ]
