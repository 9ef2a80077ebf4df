"""Uploads in the admin: those being sent or hashed, and the refused ones with the reason."""

from django.contrib import admin

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.roles.tier_scoped_admin import TierScopedAdmin
from weights.uploads.models import Upload


@admin.register(Upload)
class UploadAdmin(ReadOnlyAdmin, TierScopedAdmin):
    tier_field = "checkpoint__tier"
    list_display = ["sha256", "checkpoint", "person", "size", "state", "reason", "touched_at"]
    list_filter = ["state"]
    search_fields = ["sha256", "person__username"]
    list_select_related = ["checkpoint", "person"]
    #: The name in the store's staging.
    exclude = ["staging"]
