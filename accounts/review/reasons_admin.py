"""The admin of the reason catalogue; each change adds a text, so the history is preserved."""

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.review import services
from accounts.review.models import ReasonText
from accounts.review.reasons import RULES
from accounts.web.current_user import signed_in


class ReasonTextForm(forms.ModelForm):
    class Meta:
        model = ReasonText
        fields = ["code", "label", "remedy"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and ReasonText(**cleaned).is_in_force():
            raise ValidationError("This text is already in force.")
        return cleaned


@admin.register(ReasonText)
class ReasonTextAdmin(ReadOnlyAdmin):
    """Lead reviewers add texts; the codes and their rules cannot be edited."""

    form = ReasonTextForm
    list_display = ["code", "label", "remedy", "made_by", "made_at"]
    list_filter = ["code"]
    list_select_related = ["made_by"]
    ordering = ["-pk"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return services.may_change_reason_texts(signed_in(request))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the texts in force above their history."""
        extra = {"title": "Reasons", "words": current_texts(), **(extra_context or {})}
        return super().changelist_view(request, extra)

    def save_model(
        self, request: HttpRequest, obj: ReasonText, form: forms.ModelForm, change: bool
    ) -> None:
        services.change_reason_text(obj, by=signed_in(request))


def current_texts() -> list[dict[str, Any]]:
    """Return each reason with its current text, its rule, and a query string for the form."""
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
