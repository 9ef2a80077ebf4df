"""The reason catalogue's words: a change adds a wording, and the history stays."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.audit.models import AuditEvent
from accounts.review.models import ReasonText
from accounts.review.reasons import RULES
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import GRANT_KEEPERS
from accounts.web.current_user import signed_in


class WordingForm(forms.ModelForm):
    class Meta:
        model = ReasonText
        fields = ["code", "label", "remedy"]

    def clean(self) -> dict[str, Any]:
        said = super().clean() or self.cleaned_data
        words = (said.get("label"), said.get("remedy"))
        if words == ReasonText.objects.current().get(said.get("code", "")):
            raise ValidationError("These are the words in force already.")
        return said


@admin.register(ReasonText)
class ReasonTextAdmin(ReadOnlyAdmin):
    """Lead reviewers write; codes, and what they may be used for, stay as they are."""

    form = WordingForm
    list_display = ["code", "label", "remedy", "made_by", "made_at"]
    list_filter = ["code"]
    list_select_related = ["made_by"]
    ordering = ["-pk"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        by = signed_in(request)
        leads = RoleAssignment.objects.held(by, GRANT_KEEPERS).exists()
        return by.has_perm("accounts.add_reasontext") and leads

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The words in force stand above their history."""
        extra = {"title": "Reasons", "words": words(), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def save_model(
        self, request: HttpRequest, obj: ReasonText, form: forms.ModelForm, change: bool
    ) -> None:
        obj.made_by = signed_in(request)
        super().save_model(request, obj, form, change)
        AuditEvent.record(
            "reason_text.changed",
            actor=obj.made_by,
            target=obj,
            details={"code": obj.code, "label": obj.label, "remedy": obj.remedy},
        )


def words() -> list[dict[str, Any]]:
    """Each reason as it is said now, with what it is for and the query that words it anew."""
    return [
        {
            "code": code,
            "label": label,
            "remedy": remedy,
            "actions": ", ".join(sorted(RULES[code].actions)),
            "days": RULES[code].waiting_days,
            "query": urlencode({"code": code, "label": label, "remedy": remedy}),
        }
        for code, (label, remedy) in ReasonText.objects.current().items()
    ]
