"""What stands in the store, as staff see it: each look at it, and what is wrong there."""

from django.contrib import admin

from accounts.admin_pages.readonly import ReadOnlyAdmin
from weights.integrity.models import StoreFinding, StoreSurvey


@admin.register(StoreSurvey)
class StoreSurveyAdmin(ReadOnlyAdmin):
    list_display = [
        *("started_at", "finished_at", "stored", "stored_bytes"),
        *("changed", "missing", "overlaid", "orphaned", "trouble", "store"),
    ]
    date_hierarchy = "started_at"


@admin.register(StoreFinding)
class StoreFindingAdmin(ReadOnlyAdmin):
    """Those of the last survey. Orphans are removed by hand, if at all."""

    list_display = ["key", "kind", "size", "first_seen_at", "last_seen_at"]
    list_filter = ["kind"]
    search_fields = ["key"]
