"""The staff's view of the bytes and how they were verified; what is done to them by hand."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.audit.models import AuditEvent
from accounts.web.current_user import signed_in
from weights.inspection.admin import InspectionInline, OfBytesOfOwnTiers
from weights.integrity import verification
from weights.integrity.admin_actions import LiftForm, QuarantineForm, act
from weights.integrity.models import VerificationRun
from weights.storage.models import Blob


class RunInline(admin.TabularInline):
    model = VerificationRun
    extra = 0
    can_delete = False
    max_num = 0
    fields = (
        *("started_at", "finished_at", "result", "progress", "started_from", "bytes_read"),
        *("seconds", "worker", "detail"),
    )
    readonly_fields = fields

    def has_change_permission(self, request: HttpRequest, obj: Blob | None = None) -> bool:
        return False


@admin.register(Blob)
class BlobAdmin(OfBytesOfOwnTiers):
    to_blob = "pk"
    list_display = ["sha256", "size", "state", "quarantine_reason", "last_verified_at"]
    list_filter = ["state"]
    search_fields = ["sha256"]
    inlines = [InspectionInline, RunInline]
    actions = ["verify_again", "quarantine", "lift"]
    show_full_result_count = False

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.verify_blob")

    @admin.action(description="Verify again", permissions=["verify"])
    def verify_again(self, request: HttpRequest, queryset: QuerySet[Blob]) -> None:
        for blob in queryset:
            AuditEvent.record("blob.verification_asked", actor=signed_in(request), target=blob)
        verification.ask_again(queryset)
        self.message_user(request, f"{len(queryset)} queued for verification", messages.SUCCESS)

    @admin.action(description="Quarantine by hand, with a reason", permissions=["verify"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[Blob]) -> HttpResponse | None:
        return act(self, request, queryset, QuarantineForm)

    @admin.action(description="Lift a quarantine by a fresh check", permissions=["verify"])
    def lift(self, request: HttpRequest, queryset: QuerySet[Blob]) -> HttpResponse | None:
        return act(self, request, queryset, LiftForm)


@admin.register(VerificationRun)
class VerificationRunAdmin(OfBytesOfOwnTiers):
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
