"""Admin pages of checkpoint links and of the download ledger."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.roles.tier_scoped_admin import TierScopedAdmin, permitted_tiers
from accounts.web.current_user import signed_in
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
class DownloadAdmin(ReadOnlyAdmin):
    person_field = "user_id"
    list_display = ["at", "user_id", "credential_kind", "repo_id", "path", "outcome", "code"]
    list_filter = ["outcome", "credential_kind"]
    search_fields = ["repo_id", "path", "sha256"]
    date_hierarchy = "at"
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Download]:
        """Limit the rows to the tiers of the user's roles, by checkpoint id."""
        tiers = permitted_tiers(signed_in(request), "weights.view_download")
        rows: QuerySet[Download] = super().get_queryset(request)
        if tiers is None:
            return rows
        return rows.filter(checkpoint_id__in=Checkpoint.objects.filter(tier__in=tiers).values("pk"))
