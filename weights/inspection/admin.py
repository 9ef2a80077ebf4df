"""Admin pages of inspections and their overrides."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts import reasons
from accounts.admin_pages.readonly import ReadOnlyAdmin, ReadOnlyInline
from accounts.admin_pages.record_actions import RecordAction, act
from accounts.roles.tier_scoped_admin import TierFilteredAdmin
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.catalogue.models import Checkpoint
from weights.inspection import overrides
from weights.inspection.models import Inspection, InspectionOverride
from weights.integrity.admin_actions import reason_field
from weights.publishing.models import File


class AskForm(RecordAction):
    run = staticmethod(overrides.ask)
    name, title, button, done = "ask", "Request an override", "Request", "requested"
    warning = (
        "A refused file can harm people who load it. If you have checked its imports and consider "
        "the refusal wrong, explain why. A second release owner must agree before the file is "
        "served, unless this portal has a single operator."
    )

    why = reason_field(reasons.INTERNAL, "Why")


@admin.display(description="Imports")
def _imports(model_admin: admin.ModelAdmin, inspection: Inspection) -> str:
    """The imports, one per line, with a note if the file was not read to the end."""
    note = ["not read to its end: no override is possible"] if inspection.is_partly_read else []
    return "\n".join([*inspection.imports, *note]) or "none"


class InspectionInline(ReadOnlyInline):
    model = Inspection
    fields = ("family", "kind", "outcome", "reason", "imported", "tensors", "made_at")
    readonly_fields = fields
    imported = _imports


class OwnTierBlobsAdmin(ReadOnlyAdmin, TierFilteredAdmin):
    """Shows only rows whose blobs are used in the tiers of the user's roles."""

    to_blob = "blob"

    def of_tiers(self, records: QuerySet[Any], tiers: set[int]) -> QuerySet[Any]:
        used = File.objects.without_drafts().filter(revision__checkpoint__tier__in=tiers)
        return records.filter(**{f"{self.to_blob}__in": used.values("blob")})

    def has_override_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.verify_blob")


@admin.register(Inspection)
class InspectionAdmin(OwnTierBlobsAdmin):
    list_display = ["blob", "family", "kind", "outcome", "reason", "made_at"]
    list_filter = ["outcome", "family", "kind"]
    search_fields = ["blob__sha256", "reason"]
    list_select_related = ["blob"]
    fields = [
        *("blob", "used_as", "family", "kind", "outcome", "reason", "imported", "tensors"),
        *("version", "made_at"),
    ]
    readonly_fields = ["imported", "used_as"]
    imported = _imports
    actions = ["ask"]
    show_full_result_count = False
    ordering = ["-made_at", "-pk"]

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        inspection = super().get_object(request, object_id, from_field)
        if inspection is not None:
            inspection.visible_files = _visible_files(inspection, signed_in(request))
        return inspection

    @admin.display(description="Files")
    def used_as(self, inspection: Any) -> str:
        return "\n".join(inspection.visible_files)

    @admin.action(description="Request an override, with a reason", permissions=["override"])
    def ask(self, request: HttpRequest, queryset: QuerySet[Inspection]) -> HttpResponse | None:
        return act(self, request, queryset.select_related("blob"), AskForm)


@admin.register(InspectionOverride)
class InspectionOverrideAdmin(OwnTierBlobsAdmin):
    """Granted overrides; pending ones are change requests."""

    to_blob = "inspection__blob"
    list_display = ["inspection", "refusal", "asked_why", "asked_by", "granted_by", "granted_at"]
    list_filter = [("granted_at", admin.EmptyFieldListFilter)]
    list_select_related = ["inspection__blob", "asked_by", "granted_by"]


def _visible_files(inspection: Inspection, reader: User) -> list[str]:
    """Up to 20 files with this blob, in checkpoints visible to the reader."""
    visible = Checkpoint.objects.visible_to(reader)
    files = inspection.blob.files.without_drafts().filter(revision__checkpoint__in=visible)
    files = files.select_related("revision__checkpoint")[:20]
    return [f"{file.revision.checkpoint.repo_id}/{file.path}" for file in files]
