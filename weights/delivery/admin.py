"""Admin pages of checkpoint links and of the download ledger."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.roles.tier_scoped_admin import TierFilteredAdmin, TierScopedAdmin
from weights.catalogue.models import Checkpoint
from weights.delivery.models import CheckpointLink
from weights.ledger.models import Download


@admin.register(CheckpointLink)
class CheckpointLinkAdmin(ReadOnlyAdmin, TierScopedAdmin):
    tier_field = "checkpoint__tier"
    list_display = ["checkpoint", "holder", "cause", "state", "issued_at", "expires_at"]
    list_filter = ["state", "cause"]
    search_fields = ["holder__username", "public_id"]
    list_select_related = ["checkpoint", "holder"]
    #: The holder's credentials, and the long plan.
    exclude = ["plan", "id_digest", "token", "session_key"]


@admin.register(Download)
class DownloadAdmin(ReadOnlyAdmin, TierFilteredAdmin):
    person_field = "user_id"
    list_display = ["at", "user_id", "credential_kind", "repo_id", "path", "outcome", "code"]
    list_filter = ["outcome", "credential_kind"]
    search_fields = ["repo_id", "path", "sha256"]
    date_hierarchy = "at"
    show_full_result_count = False

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        checkpoints = Checkpoint.objects.filter(tier__in=tiers)
        return records.filter(checkpoint_id__in=checkpoints.values("pk"))
