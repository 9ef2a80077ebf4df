"""The staff's view of what is published, stored, verified and fetched."""

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts import tier_changes
from accounts.admin.own_tiers import OfOwnTiers, own_tiers
from accounts.admin.raised_gate import ConfirmRaise
from accounts.admin.readonly import ReadOnlyAdmin
from accounts.models import AuditEvent, Tier
from accounts.views.people import signed_in
from weights import checkpoint_tiers, verification
from weights.admin.asking import LiftForm, QuarantineForm, WithdrawForm, act
from weights.admin.inspections import InspectionInline
from weights.models import (
    Blob,
    Checkpoint,
    CheckpointLink,
    Download,
    Family,
    File,
    ManifestKey,
    ManifestSignature,
    Ref,
    Revision,
    VerificationRun,
)


@admin.register(Family)
class FamilyAdmin(ReadOnlyAdmin):
    list_display = ["name", "developer"]


class CheckpointForm(ConfirmRaise, forms.ModelForm):
    def raised(self) -> str:
        tier = self.cleaned_data.get("tier")
        if tier is None or self.instance.published_at is None:
            return ""
        before = Tier.objects.get(pk=self.initial["tier"])
        if not tier_changes.is_raised(before.mode, tier.mode):
            return ""
        return (
            f"{self.instance} is published, and this raises its gate from {before} to {tier}: "
            "whoever holds no grant is refused from the next request on, and the public history "
            "of both tiers says so."
        )


@admin.register(Checkpoint)
class CheckpointAdmin(OfOwnTiers):
    """What an owner may word; bytes come by `manage.py publish` alone."""

    form = CheckpointForm

    list_display = ["__str__", "tier", "private", "synthetic", "published_at"]
    list_filter = ["tier", "private", "synthetic"]
    search_fields = ["org", "name", "title"]
    list_select_related = ["tier"]
    readonly_fields = ["org", "name", "synthetic", "published_at", "updated_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Checkpoint | None = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Checkpoint]:
        known = Checkpoint.objects.visible_to(signed_in(request))
        return super().get_queryset(request).filter(pk__in=known).select_related("tier", "family")

    def save_model(
        self, request: HttpRequest, obj: Checkpoint, form: ModelForm, change: bool
    ) -> None:
        checkpoint_tiers.keep(obj, by=signed_in(request))
        AuditEvent.record(
            "checkpoint.changed",
            actor=signed_in(request),
            target=obj,
            details={"fields": form.changed_data},
        )


class RefInline(admin.TabularInline):
    model = Ref
    extra = 0
    can_delete = False
    readonly_fields = ["kind", "name"]

    def has_add_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False


class SignatureInline(admin.TabularInline):
    model = ManifestSignature
    extra = 0
    can_delete = False
    max_num = 0
    fields = ("key", "made_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ManifestSignature]:
        signatures: QuerySet[ManifestSignature] = super().get_queryset(request)
        return signatures.select_related("key").defer("bundle")

    def has_change_permission(self, request: HttpRequest, obj: Revision | None = None) -> bool:
        return False


@admin.register(ManifestKey)
class ManifestKeyAdmin(ReadOnlyAdmin):
    """Keys are retired by `manage.py retire_key`."""

    list_display = ["key_id", "state", "first_used_at", "retired_at", "compromised_at", "reason"]


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin, OfOwnTiers):
    tier_field = "checkpoint__tier"
    list_display = [
        *("sha", "checkpoint", "state", "state_reason", "file_count", "looks_wrong", "created_at"),
    ]
    list_filter = ["state", "checkpoint"]
    search_fields = ["sha", "checkpoint__name"]
    list_select_related = ["checkpoint"]
    readonly_fields = ["looks_wrong"]
    inlines = [RefInline, SignatureInline]
    actions = ["withdraw"]

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.publish_checkpoint")

    @admin.action(description="Withdraw, with a reason", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Revision]) -> HttpResponse | None:
        return act(self, request, queryset.select_related("checkpoint__tier"), WithdrawForm)

    @admin.display(description="What looks wrong")
    def looks_wrong(self, revision: Revision) -> str:
        if revision.findings is None:
            return "nobody has looked yet"
        told = [f"{one['severity']}: {one['sentence']}" for one in revision.findings]
        return "\n".join(told) or "nothing"


@admin.register(File)
class FileAdmin(ReadOnlyAdmin, OfOwnTiers):
    tier_field = "revision__checkpoint__tier"
    list_display = ["path", "revision", "size", "state"]
    search_fields = ["path", "blob__sha256"]
    list_select_related = ["revision__checkpoint", "blob"]
    show_full_result_count = False

    @admin.display(description="State", ordering="blob__state")
    def state(self, file: File) -> str:
        return file.blob.get_state_display()


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
class BlobAdmin(ReadOnlyAdmin):
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
class VerificationRunAdmin(ReadOnlyAdmin):
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


@admin.register(CheckpointLink)
class CheckpointLinkAdmin(ReadOnlyAdmin, OfOwnTiers):
    tier_field = "checkpoint__tier"
    list_display = ["checkpoint", "holder", "cause", "state", "issued_at", "expires_at"]
    list_filter = ["state", "cause"]
    search_fields = ["holder__username", "public_id"]
    list_select_related = ["checkpoint", "holder"]
    #: The plan holds live addresses, which are credentials of the holder.
    exclude = ["plan", "id_digest"]


@admin.register(Download)
class DownloadAdmin(ReadOnlyAdmin):
    list_display = ["at", "user_id", "credential_kind", "repo_id", "path", "outcome", "code"]
    list_filter = ["outcome", "credential_kind"]
    search_fields = ["repo_id", "path", "sha256"]
    date_hierarchy = "at"
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Download]:
        """The ledger outlives checkpoints, so it names them by number."""
        tiers = own_tiers(signed_in(request), "weights.view_download")
        rows: QuerySet[Download] = super().get_queryset(request)
        if tiers is None:
            return rows
        return rows.filter(checkpoint_id__in=Checkpoint.objects.filter(tier__in=tiers).values("pk"))
