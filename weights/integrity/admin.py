"""Blobs, their checks, and surveys of the store in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_pages.readonly import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin_pages.record_actions import act
from accounts.audit.models import AuditEvent
from accounts.roles.tier_scoped_admin import AllTiersAdmin
from accounts.web.current_user import signed_in
from weights.event_tags import WeightsEvent
from weights.inspection.admin import InspectionInline, OwnTierBlobsAdmin
from weights.integrity import blob_uses, manual_quarantine, verification
from weights.integrity.admin_actions import LiftForm, QuarantineForm
from weights.integrity.models import StoreFinding, StoreSurvey, VerificationRun
from weights.storage.models import Blob


class RunInline(ReadOnlyInline):
    model = VerificationRun
    fields = (
        *("started_at", "finished_at", "result", "progress", "bytes_read"),
        *("seconds", "worker", "detail"),
    )
    readonly_fields = fields


@admin.register(Blob)
class BlobAdmin(OwnTierBlobsAdmin):
    to_blob = "pk"
    list_display = ["sha256", "size", "state_label", "quarantine_reason", "last_verified_at"]
    list_filter = ["state", "quarantine_cause"]
    readonly_fields = ["used_in", "state_label", "lift_link"]
    fields = [
        *("sha256", "size", "state_label", "quarantine_reason", "lift_link", "used_in"),
        "last_verified_at",
        *("created_at", "check_due_at", "inspect_due_at", "leased_until", "attempts", "doubts"),
        *("held", "version", "mark", "version_in"),
    ]
    search_fields = ["sha256"]
    inlines = [InspectionInline, RunInline]
    actions = ["verify_again", "quarantine", "lift"]
    show_full_result_count = False

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        blob = super().get_object(request, object_id, from_field)
        if blob is not None:
            blob.file_links = blob_uses.file_links(blob, signed_in(request))
            blob.may_lift = manual_quarantine.may_lift(blob, signed_in(request))
        return blob

    @admin.display(description="Used in")
    def used_in(self, blob: Any) -> SafeString:
        links: SafeString = blob.file_links
        return links

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.lift_page)
        own = path("<path:object_id>/lift/", page, name="weights_blob_lift")
        return [own, *super().get_urls()]

    @admin.display(description="End of the quarantine")
    def lift_link(self, blob: Any) -> str:
        if not blob.may_lift:
            is_quarantined = blob.state == Blob.State.QUARANTINED
            return "by release owners of every tier that uses it" if is_quarantined else "-"
        page = reverse("admin:weights_blob_lift", args=[blob.pk])
        return format_html('<a class="button" href="{}">Lift quarantine</a>', page)

    @admin.display(description="State", ordering="state")
    def state_label(self, blob: Blob) -> str:
        return blob.state_label

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.verify_blob")

    @admin.action(description="Verify again", permissions=["verify"])
    def verify_again(self, request: HttpRequest, queryset: QuerySet[Blob]) -> None:
        for blob in queryset:
            AuditEvent.record(
                WeightsEvent.BLOB_VERIFICATION_ASKED, actor=signed_in(request), target=blob
            )
        verification.recheck(queryset)
        self.message_user(request, f"{len(queryset)} queued for verification", messages.SUCCESS)

    @admin.action(description="Quarantine manually, with a reason", permissions=["verify"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[Blob]) -> HttpResponse | None:
        return act(self, request, queryset, QuarantineForm)

    @admin.action(description="Lift a quarantine by a fresh check", permissions=["verify"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Blob]) -> HttpResponse | None:
        return act(self, request, queryset, LiftForm)

    def lift_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The confirmation page of one blob; other pages link to it."""
        blob = self.get_object(request, object_id)
        if not self.has_verify_permission(request):
            raise PermissionDenied("only release owners can lift a quarantine")
        blobs = self.get_queryset(request).filter(pk=blob.pk)
        return self.lift(request, blobs) or redirect(
            reverse("admin:weights_blob_change", args=[blob.pk])
        )


@admin.register(VerificationRun)
class VerificationRunAdmin(OwnTierBlobsAdmin):
    list_display = [
        *("started_at", "blob", "result", "progress", "bytes_read", "megabytes_a_second"),
        "worker",
    ]
    list_filter = ["result"]
    date_hierarchy = "started_at"
    list_select_related = ["blob"]

    @admin.display(description="MB/s")
    def megabytes_a_second(self, run: VerificationRun) -> str:
        return f"{run.rate / 1e6:.0f}"


@admin.register(StoreSurvey)
class StoreSurveyAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Surveys cover the whole store, so only roles for all tiers may read them."""

    list_display = [
        *("started_at", "finished_at", "stored", "stored_bytes"),
        *("changed", "missing", "overlaid", "orphaned", "trouble", "store"),
    ]
    date_hierarchy = "started_at"


@admin.register(StoreFinding)
class StoreFindingAdmin(AllTiersAdmin, ReadOnlyAdmin):
    """Findings of the last survey. The portal never deletes orphans."""

    list_display = ["key", "kind", "size", "first_seen_at", "last_seen_at"]
    list_filter = ["kind"]
    search_fields = ["key"]
