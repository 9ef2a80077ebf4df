"""Custom questions in the admin of a tier."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin_pages.readonly import NeverDeleted
from accounts.applications.models.form import Question
from accounts.applications.question_presets import PRESETS
from accounts.roles.tier_scoped_admin import TierScopedAdmin
from accounts.tiers import services
from accounts.tiers.models import Tier
from accounts.web.current_user import signed_in


class QuestionInline(NeverDeleted, admin.StackedInline):
    """One custom question. It is never deleted, only unticked, and its key never changes."""

    model = Question
    extra = 0
    verbose_name = "custom question"
    verbose_name_plural = "custom questions, asked in every new application"
    fields = (
        ("label", "key"),
        ("kind", "step", "position"),
        "help_text",
        "choices",
        ("shown_if_key", "shown_if_value"),
        ("is_required", "is_asked"),
    )

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        return super().get_formset(request, obj, form=_QuestionForm, **kwargs)


class _QuestionForm(forms.ModelForm):
    """Disables the key of an existing question, because answers are stored under it."""

    class Meta:
        model = Question
        fields = "__all__"  # noqa: DJ007 - the inline names them
        widgets = {"choices": forms.Textarea({"rows": 3})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and "key" in self.fields:
            self.fields["key"].disabled = True


class PresetForm(forms.Form):
    """The choice of presets to add."""

    keys = forms.MultipleChoiceField(
        label="Add these questions", widget=forms.CheckboxSelectMultiple, choices=[]
    )

    def __init__(self, *args: Any, tier: Tier, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        existing = set(tier.questions.values_list("key", flat=True))
        choices = [(one["key"], one["label"]) for one in PRESETS if one["key"] not in existing]
        self.fields["keys"].choices = choices  # type: ignore[attr-defined]
        self.fields["keys"].initial = [key for key, _ in choices]


class CustomQuestionsAdmin(TierScopedAdmin):
    """Adds the custom questions to the admin of a tier, and a page with presets."""

    inlines = [QuestionInline]

    def get_urls(self) -> list[URLPattern]:
        presets = path(
            "<int:tier_id>/ready-made/",
            self.admin_site.admin_view(self.presets),
            name="accounts_tier_ready_made",
        )
        return [presets, *super().get_urls()]

    def presets(self, request: HttpRequest, tier_id: int) -> HttpResponse:
        """Add the chosen presets to the tier."""
        tier = self.get_queryset(request).filter(pk=tier_id).first()
        if tier is None:
            raise Http404("there is no such tier")
        may_change = self.has_change_permission(request, tier)
        if not may_change or not request.user.has_perm("accounts.add_question"):
            raise PermissionDenied("only the release owner adds questions")
        form = PresetForm(request.POST or None, tier=tier)
        if request.method == "POST" and form.is_valid():
            added = self._add(request, tier, set(form.cleaned_data["keys"]))
            self.message_user(request, f"{added} questions added", messages.SUCCESS)
            return redirect(reverse("admin:accounts_tier_change", args=[tier.pk]))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"Ready-made questions for {tier}",
            "tier": tier,
            "form": form,
        }
        return TemplateResponse(request, "admin/accounts/tier/ready_made.html", context)

    @transaction.atomic
    def _add(self, request: HttpRequest, tier: Tier, keys: set[str]) -> int:
        last = tier.questions.order_by("-position").first()
        start = last.position + 1 if last else 1
        chosen = [preset for preset in PRESETS if preset["key"] in keys]
        for position, preset in enumerate(chosen, start=start):
            Question.objects.create(tier=tier, position=position, **preset)
        _record(request, tier, sorted(keys))
        return len(chosen)

    def save_formset(
        self, request: HttpRequest, form: forms.ModelForm, formset: Any, change: bool
    ) -> None:
        super().save_formset(request, form, formset, change)
        if formset.model is Question:
            changed = [one for one, _ in formset.changed_objects] + formset.new_objects
            if changed:
                _record(request, form.instance, sorted(one.key for one in changed))


def _record(request: HttpRequest, tier: Tier, keys: list[str]) -> None:
    services.record_questions(tier, keys, by=signed_in(request))
