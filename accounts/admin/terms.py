"""Tiers and licences."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.forms import ModelForm
from django.http import HttpRequest

from accounts import duo
from accounts.admin.forms import AsksQuestions
from accounts.models import AuditEvent, Licence, LicenceVersion, Tier
from accounts.views.people import signed_in


class TierForm(forms.ModelForm):
    duo_codes = forms.MultipleChoiceField(
        label="Terms of use",
        required=False,
        choices=[
            (term.code, f"{term.words} ({term.code} {term.short}, {term.kind})")
            for term in duo.TERMS.values()
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text="Codes of the Data Use Ontology: one permission, and what narrows it. "
        "They stand beside the licence, they do not replace it.",
    )


@admin.register(Tier)
class TierAdmin(AsksQuestions):
    form = TierForm
    list_display = ["name", "slug", "mode", "licence", "term_days"]

    def get_readonly_fields(self, request: HttpRequest, obj: Tier | None = None) -> list[str]:
        return ["slug"] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Tier | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Tier, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        AuditEvent.record(
            "tier.changed" if change else "tier.made",
            actor=signed_in(request),
            target=obj,
            details={"fields": form.changed_data},
        )


@admin.register(Licence)
class LicenceAdmin(admin.ModelAdmin):
    list_display = ["title", "slug", "spdx_id"]
    # An address typed without a scheme is taken for https.
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}

    def has_delete_permission(self, request: HttpRequest, obj: Licence | None = None) -> bool:
        return False


@admin.register(LicenceVersion)
class LicenceVersionAdmin(admin.ModelAdmin):
    """A text is written once; a change is a new version."""

    list_display = ["licence", "version", "effective_at", "is_sample", "text_sha256"]
    readonly_fields = ["text_sha256"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: LicenceVersion, form: ModelForm, change: bool
    ) -> None:
        super().save_model(request, obj, form, change)
        AuditEvent.record("licence.version_made", actor=signed_in(request), target=obj)
