"""The read-only audit trail in the admin: each event as a sentence, with its raw record."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.event_tags import EventTag
from accounts.audit.models import AuditEvent
from accounts.audit.sentences import Names, detail_lines, object_phrase, sentence
from accounts.roles.tier_scoped_admin import AllTiersAdmin


class ActionFilter(admin.AllValuesFieldListFilter):
    """Shows actions as words."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            tag = EventTag.named(str(choice["display"]))
            yield {**choice, "display": tag.label if tag else choice["display"]}


@admin.register(AuditEvent)
class AuditEventAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Events do not record a tier, so only staff with roles for all tiers can read them."""

    list_display = ["at", "event", "result_in_words"]
    list_filter = [("action", ActionFilter), "result"]
    search_fields = ["actor_name", "object_id", "request_id"]
    date_hierarchy = "at"
    show_full_result_count = False
    fieldsets = [
        (None, {"fields": ["event", "at", "actor", "result_in_words", "particulars"]}),
        (
            "Raw record",
            {
                "classes": ["collapse", "raw"],
                "fields": [
                    *("action", "object_kind", "object_id", "actor_id", "credential_kind"),
                    *("credential_id", "result", "details", "request_id", "network"),
                ],
            },
        ),
    ]
    readonly_fields = ["event", "actor", "result_in_words", "particulars"]

    @admin.display(description="Event")
    def event(self, event: Any) -> str:
        return sentence(event, getattr(event, "names", {}))

    @admin.display(ordering="actor_name")
    def actor(self, event: AuditEvent) -> str:
        return event.actor_name or "the portal"

    @admin.display(description="Result", ordering="result")
    def result_in_words(self, event: AuditEvent) -> str:
        return event.result.replace("_", " ")

    @admin.display(description="Details")
    def particulars(self, event: AuditEvent) -> str:
        return "\n".join(detail_lines(event.details)) or "none"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Name the objects on a page with one query per kind of object."""
        found = super().get_changelist_instance(request)
        found.result_list = list(found.result_list)
        names = self._names(request, found.result_list)
        for event in found.result_list:
            event.names = names
        return found

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        event = super().get_object(request, object_id, from_field)
        if event is not None:
            event.names = self._names(request, [event])
        return event

    def _names(self, request: HttpRequest, events: Iterable[AuditEvent]) -> Names:
        """Return the phrases of the objects that the user may see in the admin."""
        ids: dict[str, set[str]] = defaultdict(set)
        for event in events:
            ids[event.object_kind].add(event.object_id)
        names: Names = {}
        for model, page in self.admin_site._registry.items():
            kind = model._meta.model_name or ""
            if kind in ids:
                names |= _named(page, request, kind, ids[kind])
        return names


def _named(page: Any, request: HttpRequest, kind: str, ids: set[str]) -> Names:
    """Return the phrases of one admin page's records with these public ids or keys."""
    if not page.has_view_permission(request):
        return {}
    key = "public_id" if hasattr(page.model, "public_id") else "pk"
    rows = page.get_queryset(request).filter(**{f"{key}__in": ids})
    if page.list_select_related:
        rows = rows.select_related(*page.list_select_related)
    return {(kind, str(getattr(record, key))): object_phrase(record) for record in rows}
