"""The audit trail in the admin, read-only."""

from django.contrib import admin

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.models import AuditEvent
from accounts.roles.tier_scoped_admin import AllTiersAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Events do not record a tier, so only staff with roles for all tiers can read them."""

    list_display = ["at", "action", "actor", "object_kind", "object_id", "result"]
    list_filter = ["action", "result"]
    search_fields = ["actor_name", "object_id", "request_id"]
    date_hierarchy = "at"
    show_full_result_count = False

    @admin.display(ordering="actor_name")
    def actor(self, event: AuditEvent) -> str:
        return event.actor_name
