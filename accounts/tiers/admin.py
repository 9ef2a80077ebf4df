"""Tiers and licences in the admin."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages.confirm_restriction import ConfirmRestriction
from accounts.admin_pages.readonly import NeverDeleted, ReadOnlyAdmin
from accounts.admin_pages.reason_to_open import OpeningAdmin, ReasonToOpen, announce_waiting
from accounts.admin_pages.record_actions import act
from accounts.applications.admin import CustomQuestionsAdmin
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.models import AuditEvent
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import PRIVATE_READERS
from accounts.roles.tier_scoped_admin import TierScopedAdmin, has_permission_for, tiers_of
from accounts.tiers import services, strictness, use_terms
from accounts.tiers.access_modes import AccessMode
from accounts.tiers.admin_actions import RetireForm, UnretireForm
from accounts.tiers.models import Licence, LicenceVersion, Tier, TierChange
from accounts.web.current_user import signed_in


class TierForm(ReasonToOpen, ConfirmRestriction, forms.ModelForm):
    duo_codes = forms.MultipleChoiceField(
        label="Terms of use",
        required=False,
        choices=[
            (term.code, f"{term.words} ({term.code} {term.short}, {term.kind})")
            for term in use_terms.TERMS.values()
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Codes of the Data Use Ontology: one permission, and modifiers that restrict it. "
        "They complement the licence and do not replace it.",
    )

    def restriction_warning(self) -> str:
        after = self.cleaned_data.get("mode", "")
        before = str(self.initial.get("mode", after))
        if not self.instance.pk or not after or not strictness.is_raised(before, after):
            return ""
        return (
            f"This restricts access from {AccessMode(before).label} to {AccessMode(after).label} "
            f"for every checkpoint of {self.instance}: people without a grant are refused from the "
            "next request on, and the public history records it."
        )

    def opening(self) -> str:
        if not self.instance.pk or self.errors:
            return ""
        before = Tier.objects.get(pk=self.instance.pk)
        after = Tier(**{name: self.cleaned_data[name] for name in strictness.FIELDS})
        labels = [services.LABELS[name] for name in strictness.opened_fields(before, after)]
        return f"This lowers the gate of {before} ({', '.join(labels).lower()})." if labels else ""


@admin.register(Tier)
class TierAdmin(OpeningAdmin, NeverDeleted, CustomQuestionsAdmin):
    tier_field = "pk"
    form = TierForm
    list_display = ["name", "slug", "position", "mode", "licence", "retired_at"]
    list_filter = ["mode", ("retired_at", admin.EmptyFieldListFilter)]
    list_select_related = ["licence"]
    actions = ["retire", "unretire"]

    def get_fields(self, request: HttpRequest, obj: Tier | None = None) -> Any:
        fields = list(super().get_fields(request, obj))
        return ["name", "slug", *(one for one in fields if one not in {"name", "slug"})]

    def get_prepopulated_fields(
        self, request: HttpRequest, obj: Tier | None = None
    ) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ["name"]}

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> list[str]:
        user = signed_in(request)
        places = has_permission_for(user, "accounts.add_tier", obj)
        fixed = ["slug", "retired_at"] if obj else []
        return fixed if places else [*fixed, "position"]

    def has_retire_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.add_tier")

    @admin.action(description="Retire, with a reason", permissions=["retire"])
    def retire(self, request: HttpRequest, queryset: QuerySet[Tier]) -> HttpResponse | None:
        return act(self, request, queryset, RetireForm)

    @admin.action(description="Put back into use, with a reason", permissions=["retire"])
    def unretire(self, request: HttpRequest, queryset: QuerySet[Tier]) -> HttpResponse | None:
        return act(self, request, queryset, UnretireForm)

    def save_model(self, request: HttpRequest, obj: Tier, form: ModelForm, change: bool) -> None:
        reason = form.cleaned_data["opening_reason"]
        saved = services.save_tier(obj, by=signed_in(request), reason=reason)
        announce_waiting(request, saved.waiting)


@admin.register(TierChange)
class TierChangeAdmin(ReadOnlyAdmin, TierScopedAdmin):
    """Read-only; hidden changes name private checkpoints, so reviewers do not see them."""

    list_display = ["at", "tier", "kind", "checkpoint", "by", "by_role", "hidden"]
    list_filter = ["tier", "kind"]
    list_select_related = ["tier", "by"]
    date_hierarchy = "at"

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[TierChange]:
        changes = super().get_queryset(request)
        tiers = RoleAssignment.objects.held(signed_in(request), PRIVATE_READERS).tiers()
        if tiers is None:
            return changes
        return changes.filter(models.Q(hidden=False) | models.Q(tier__in=tiers))


def _own_licences(request: HttpRequest) -> models.QuerySet[Licence]:
    tiers = tiers_of(signed_in(request))
    if tiers is None:
        return Licence.objects.all()
    used = Tier.objects.filter(pk__in=tiers).values("licence")
    return Licence.objects.filter(models.Q(pk__in=used) | models.Q(tiers=None))


@admin.register(Licence)
class LicenceAdmin(NeverDeleted, admin.ModelAdmin):
    """Licences of the user's tiers, and those that no tier uses yet."""

    list_display = ["title", "slug", "spdx_id"]
    # URLs typed without a scheme get https.
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Licence]:
        licences: models.QuerySet[Licence] = super().get_queryset(request)
        return licences.filter(pk__in=_own_licences(request))

    def save_model(self, request: HttpRequest, obj: Licence, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        AuditEvent.record(AccountsEvent.LICENCE_NAMED, actor=signed_in(request), target=obj)


@admin.register(LicenceVersion)
class LicenceVersionAdmin(NeverDeleted, admin.ModelAdmin):
    """Texts cannot be edited; a change is a new version."""

    list_display = ["licence", "version", "effective_at", "is_sample", "text_sha256"]
    readonly_fields = ["text_sha256"]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[LicenceVersion]:
        versions: models.QuerySet[LicenceVersion] = super().get_queryset(request)
        return versions.filter(licence__in=_own_licences(request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: LicenceVersion, form: ModelForm, change: bool
    ) -> None:
        person = signed_in(request)
        for tier in obj.licence.tiers.all():
            if not has_permission_for(person, "accounts.add_licenceversion", tier):
                raise PermissionDenied(f"you are not a release owner of {tier}, which uses it")
        super().save_model(request, obj, form, change)
        services.record_licence_version(obj, by=signed_in(request))
