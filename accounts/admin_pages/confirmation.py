"""Confirmation pages of admin actions: a warning and a form, then the action."""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.safestring import SafeString

from accounts import reasons
from accounts.users.models import User
from accounts.web.current_user import signed_in


class ConfirmationForm(forms.Form):
    """The form of one action; subclasses define how the action runs on one record."""

    name: ClassVar[str]
    title: ClassVar[str]
    warning: ClassVar[str]
    button: ClassVar[str]

    def reach(self, record: Any, reader: User) -> list[str | SafeString]:
        """Return sentences on what the action affects, shown to the reader below the record."""
        return []


FormT = TypeVar("FormT", bound=ConfirmationForm)


def text(
    help_text: str,
    *,
    minimum: int = reasons.LEAST,
    maximum: int = reasons.MOST,
    label: str | None = None,
) -> forms.CharField:
    """Return a field for a sentence or two, by default 5 to 500 characters."""
    area = forms.Textarea(attrs={"rows": 3, "cols": 60})
    return forms.CharField(
        label=label, min_length=minimum, max_length=maximum, help_text=help_text, widget=area
    )


def bind(form_class: type[FormT], request: HttpRequest) -> FormT:
    """Return the submitted form, or an unbound one if the confirmation page was not yet shown."""
    return form_class(request.POST if "confirmed" in request.POST else None)


def render(
    model_admin: ModelAdmin,
    request: HttpRequest,
    form: ConfirmationForm,
    records: Iterable[Model],
    template: str = "admin/confirmation.html",
    **more: Any,
) -> TemplateResponse:
    """Render the confirmation page for the selected records; `more` is added to its context."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": form.title,
        "form": form,
        "media": model_admin.media + form.media,
        "records": [(record, form.reach(record, signed_in(request))) for record in records],
        "checkbox": ACTION_CHECKBOX_NAME,
        **more,
    }
    return TemplateResponse(request, template, context)
