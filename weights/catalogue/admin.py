"""Admin pages of families, checkpoints, revisions, files and manifest keys."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from accounts.admin_pages.confirm_restriction import ConfirmRestriction
from accounts.admin_pages.readonly import NeverDeleted, ReadOnlyAdmin, ReadOnlyInline
from accounts.admin_pages.reason_to_open import OpeningAdmin, ReasonToOpen, announce_waiting
from accounts.admin_pages.record_actions import act
from accounts.errors import TierRetired
from accounts.roles.models import in_tiers
from accounts.roles.tier_scoped_admin import TierScopedAdmin, has_permission_for, permitted_tiers
from accounts.tiers import strictness
from accounts.tiers.models import Tier
from accounts.web.current_user import signed_in
from weights.catalogue import checkpoint_tiers, facts
from weights.catalogue.descriptions import fact_rows, previews
from weights.catalogue.models import Checkpoint, Family
from weights.errors import PublishRefused
from weights.inspection import results
from weights.integrity.admin_actions import QuarantineFileForm, WithdrawForm
from weights.manifests.models import ManifestKey, ManifestSignature
from weights.publishing.drafts.queries import drafts_hidden_from
from weights.publishing.models import File, Ref, Revision


class CheckpointForm(ReasonToOpen, ConfirmRestriction, forms.ModelForm):
    #: Ids of the tiers that the user may choose; None for all.
    tiers: ClassVar[set[int] | None] = set()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("tier")
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = in_tiers(Tier.objects.all(), self.tiers, "pk")
            own = self.instance.tier_id
            field.widget.choices = [
                (one.pk, str(one))
                for one in field.queryset or ()
                if one.retired_at is None or one.pk == own
            ]
        family = self.fields.get("family")
        if isinstance(family, forms.ModelChoiceField):
            own = Q(retired_at=None) | Q(checkpoints=self.instance.pk)
            family.queryset = Family.objects.filter(own).distinct()
        self.rows = fact_rows.rows_of(self.instance, self.data if self.is_bound else None)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if self.rows.is_bound and self.rows.is_valid():
            self.instance.facts = fact_rows.facts_of(self.rows, self.instance.facts)
        elif self.rows.is_bound:
            self.add_error(None, "Correct the facts below. Nothing was saved.")
        return cleaned

    def clean_tier(self) -> Tier:
        tier: Tier = self.cleaned_data["tier"]
        try:
            if tier.pk != self.initial["tier"]:
                tier.require_active()
            checkpoint_tiers.check_licence(self.instance, tier)
        except (PublishRefused, TierRetired) as error:
            raise ValidationError(str(error)) from error
        return tier

    def restriction_warning(self) -> str:
        tier = self.cleaned_data.get("tier")
        if tier is None or self.instance.published_at is None:
            return ""
        before = Tier.objects.get(pk=self.initial["tier"])
        if not strictness.is_raised(before.mode, tier.mode):
            return ""
        return (
            f"{self.instance} is published, and this restricts its access from {before} to {tier}: "
            "people without a grant are refused from the next request on, and the public history "
            "of both tiers records it."
        )

    def opening(self) -> str:
        stored = Checkpoint.objects.select_related("tier").get(pk=self.instance.pk)
        changed = Checkpoint(
            tier=self.cleaned_data.get("tier", stored.tier),
            private=self.cleaned_data.get("private", stored.private),
            embargo_until=self.cleaned_data.get("embargo_until", stored.embargo_until),
        )
        opened = checkpoint_tiers.opened_fields(stored, changed)
        labels = [checkpoint_tiers.FIELD_LABELS[name] for name in opened]
        return f"This widens access to {stored} ({', '.join(labels)})." if labels else ""


@admin.register(Checkpoint)
class CheckpointAdmin(OpeningAdmin, NeverDeleted, TierScopedAdmin):
    """Descriptions and tiers; files are published by `manage.py publish` only."""

    form = CheckpointForm
    change_form_template = "admin/weights/checkpoint/change_form.html"
    exclude = ["facts"]

    list_display = ["__str__", "tier", "private", "synthetic", "published_at"]
    list_filter = ["tier", "private", "synthetic"]
    search_fields = ["org", "name", "title"]
    list_select_related = ["tier"]
    readonly_fields = ["org", "name", "synthetic", "published_at", "updated_at", "formats"]

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.preview)
        own = path("<path:object_id>/preview/", page, name="weights_checkpoint_preview")
        return [own, *super().get_urls()]

    def preview(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The title and card of the posted form, as pages would show them; saves nothing."""
        checkpoint = self.get_object(request, object_id)
        if request.method != "POST" or not self.has_change_permission(request, checkpoint):
            raise PermissionDenied("use the preview button on the checkpoint's page")
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Preview of {checkpoint}",
            **previews.preview(
                checkpoint, request.POST.get("title", ""), request.POST.get("card", "")
            ),
        }
        return TemplateResponse(request, "admin/weights/checkpoint/preview.html", context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        shown = facts.displayed(context["original"].facts)
        return super().render_change_form(request, context | {"facts": shown}, *args, **kwargs)

    @admin.display(description="Formats of what is published")
    def formats(self, checkpoint: Checkpoint) -> str:
        return results.progress_of(checkpoint).sentence

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Checkpoint]:
        visible = Checkpoint.objects.visible_to(signed_in(request))
        checkpoints = super().get_queryset(request).filter(pk__in=visible)
        return checkpoints.select_related("tier", "family")

    def get_form(
        self, request: HttpRequest, obj: Checkpoint | None = None, change: bool = False, **kw: Any
    ) -> type[forms.ModelForm]:
        tiers = permitted_tiers(signed_in(request), "weights.change_checkpoint")
        form: type[forms.ModelForm] = super().get_form(request, obj, change, **kw)
        return type(form.__name__, (form,), {"tiers": tiers})

    def save_model(
        self, request: HttpRequest, obj: Checkpoint, form: ModelForm, change: bool
    ) -> None:
        user = signed_in(request)
        tiers = (Tier.objects.get(checkpoints=obj), obj.tier)
        if not all(has_permission_for(user, "weights.change_checkpoint", tier) for tier in tiers):
            raise PermissionDenied("you can move checkpoints only between tiers of your roles")
        reason = form.cleaned_data["opening_reason"]
        waiting = checkpoint_tiers.save_checkpoint(obj, by=user, reason=reason)
        announce_waiting(request, waiting)
        if "tier" in form.changed_data and obj.tier.inspected_only:
            progress = results.progress_of(obj).sentence
            message = f"{obj.tier} accepts only inspected formats. This checkpoint: {progress}"
            self.message_user(request, message, messages.INFO)


class RefInline(ReadOnlyInline):
    model = Ref
    readonly_fields = ["kind", "name"]


class SignatureInline(ReadOnlyInline):
    model = ManifestSignature
    fields = ("key", "made_at")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[ManifestSignature]:
        signatures: QuerySet[ManifestSignature] = super().get_queryset(request)
        return signatures.select_related("key").defer("bundle")


@admin.register(ManifestKey)
class ManifestKeyAdmin(ReadOnlyAdmin):
    """Read-only; `manage.py retire_key` retires keys."""

    list_display = ["key_id", "state", "first_used_at", "retired_at", "compromised_at", "reason"]


@admin.register(Revision)
class RevisionAdmin(ReadOnlyAdmin, TierScopedAdmin):
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

    def get_queryset(self, request: HttpRequest) -> QuerySet[Revision]:
        revisions: QuerySet[Revision] = super().get_queryset(request)
        return revisions.exclude(pk__in=drafts_hidden_from(signed_in(request)).values("pk"))

    def has_withdraw_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.publish_checkpoint")

    @admin.action(description="Withdraw, with a reason", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[Revision]) -> HttpResponse | None:
        return act(self, request, queryset.select_related("checkpoint__tier"), WithdrawForm)

    @admin.display(description="Findings")
    def looks_wrong(self, revision: Revision) -> str:
        if revision.findings is None:
            return "not checked yet"
        lines = [f"{finding['severity']}: {finding['sentence']}" for finding in revision.findings]
        return "\n".join(lines) or "nothing"


@admin.register(File)
class FileAdmin(ReadOnlyAdmin, TierScopedAdmin):
    tier_field = "revision__checkpoint__tier"
    list_display = ["path", "revision", "size", "state"]
    list_filter = ["blob__state", "blob__quarantine_cause"]
    search_fields = ["path", "blob__sha256"]
    list_select_related = ["revision__checkpoint", "blob"]
    readonly_fields = ["state", "quarantine_link"]
    show_full_result_count = False
    actions = ["quarantine"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[File]:
        files: QuerySet[File] = super().get_queryset(request)
        return files.exclude(revision__in=drafts_hidden_from(signed_in(request)).values("pk"))

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.quarantine_page)
        own = path("<path:object_id>/quarantine/", page, name="weights_file_quarantine")
        return [own, *super().get_urls()]

    @admin.display(description="State", ordering="blob__state")
    def state(self, file: File) -> str:
        return file.blob.state_label

    @admin.display(description="Quarantine")
    def quarantine_link(self, file: File) -> str:
        page = reverse("admin:weights_file_quarantine", args=[file.pk])
        return format_html('<a href="{}">Show its reach, then quarantine it</a>', page)

    def has_verify_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.verify_blob")

    @admin.action(description="Quarantine manually, with a reason", permissions=["verify"])
    def quarantine(self, request: HttpRequest, queryset: QuerySet[File]) -> HttpResponse | None:
        return act(self, request, queryset.select_related("blob"), QuarantineFileForm)

    def quarantine_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The confirmation page of one file; other pages link to it."""
        file = self.get_object(request, object_id)
        if not self.has_verify_permission(request):
            raise PermissionDenied("only release owners quarantine files")
        files = self.get_queryset(request).filter(pk=file.pk)
        return self.quarantine(request, files) or redirect(
            reverse("admin:weights_file_change", args=[file.pk])
        )
