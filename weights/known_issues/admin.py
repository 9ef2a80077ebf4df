"""Admin pages of known issues."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin_pages.readonly import ReadOnlyAdmin
from accounts.admin_pages.reason_to_open import OpeningAdmin
from accounts.errors import AccountsError
from accounts.roles.tier_scoped_admin import TierScopedAdmin
from accounts.users.models import User
from accounts.web.current_user import signed_in
from weights.known_issues import services
from weights.known_issues.models import KnownIssue
from weights.publishing.models import File
from weights.reports.permissions import checkpoints_of


class KnownIssueForm(forms.ModelForm):
    title = forms.CharField(min_length=10, max_length=200, widget=AdminTextInputWidget)
    text = forms.CharField(min_length=20, max_length=5000, widget=forms.Textarea(attrs={"rows": 6}))
    #: Limits the choice of checkpoints.
    by: ClassVar[User]

    class Meta:
        model = KnownIssue
        fields = ("checkpoint", "kind", "path", "title", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("checkpoint")
        if isinstance(field, forms.ModelChoiceField):
            field.queryset = checkpoints_of(self.by)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        checkpoint, path = cleaned.get("checkpoint"), cleaned.get("path", "")
        files = File.objects.shown().filter(revision__checkpoint=checkpoint, path=path)
        if checkpoint and path and not files.exists():
            self.add_error("path", f"{checkpoint} has no such file. Leave it empty for all files.")
        return cleaned


@admin.register(KnownIssue)
class KnownIssueAdmin(OpeningAdmin, TierScopedAdmin, ReadOnlyAdmin):
    """Known issues in the tiers of the user's roles, to add, resolve or withdraw."""

    form = KnownIssueForm

    tier_field = "checkpoint__tier"
    list_display = ["title", "checkpoint", "kind", "published_at", "resolved_at", "withdrawn_at"]
    list_filter = ["kind"]
    list_select_related = ["checkpoint"]
    actions = ["resolve", "withdraw"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        user = signed_in(request)
        return user.has_perm("weights.add_knownissue") and checkpoints_of(user).exists()

    def get_form(
        self, request: HttpRequest, obj: KnownIssue | None = None, change: bool = False, **kw: Any
    ) -> type[forms.ModelForm]:
        form: type[forms.ModelForm] = super().get_form(request, obj, change, **kw)
        return type(form.__name__, (form,), {"by": signed_in(request)})

    def get_fields(self, request: HttpRequest, obj: KnownIssue | None = None) -> Any:
        return super().get_fields(request, obj) if obj else KnownIssueForm.Meta.fields

    def save_model(
        self, request: HttpRequest, obj: KnownIssue, form: forms.ModelForm, change: bool
    ) -> None:
        obj.pk = services.publish(**form.cleaned_data, by=signed_in(request)).pk

    def has_triage_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("weights.triage_report")

    @admin.action(description="Mark as resolved", permissions=["triage"])
    def resolve(self, request: HttpRequest, queryset: QuerySet[KnownIssue]) -> None:
        self._each(request, queryset, services.resolve)

    @admin.action(description="Withdraw", permissions=["triage"])
    def withdraw(self, request: HttpRequest, queryset: QuerySet[KnownIssue]) -> None:
        self._each(request, queryset, services.withdraw)

    def _each(
        self, request: HttpRequest, queryset: QuerySet[KnownIssue], change: Callable[..., None]
    ) -> None:
        for issue in queryset.select_related("checkpoint__tier"):
            try:
                change(issue, by=signed_in(request))
            except AccountsError as error:
                self.message_user(request, f"Nothing was done to {issue}: {error}.", messages.ERROR)
