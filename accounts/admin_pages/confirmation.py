"""Moves that ask first: one page with the warning and what is to be said, then the deed."""

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from django import forms
from django.contrib.admin import ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse


class AskedAction(forms.Form):
    """What one move asks before it is made; its kinds say how it is made for one record."""

    name: ClassVar[str]
    title: ClassVar[str]
    warning: ClassVar[str]
    button: ClassVar[str]


Kind = TypeVar("Kind", bound=AskedAction)


def text(
    told: str, *, least: int = 5, most: int = 500, label: str | None = None
) -> forms.CharField:
    """A field for a sentence or two; `told` says who reads them."""
    area = forms.Textarea(attrs={"rows": 3, "cols": 60})
    return forms.CharField(
        label=label, min_length=least, max_length=most, help_text=told, widget=area
    )


def answered(kind: type[Kind], request: HttpRequest) -> Kind:
    """The form as it was sent, or unbound where the page that asks was not shown yet."""
    return kind(request.POST if "confirmed" in request.POST else None)


def page(
    model_admin: ModelAdmin,
    request: HttpRequest,
    form: AskedAction,
    records: Iterable[Model],
    template: str = "admin/asked.html",
) -> TemplateResponse:
    """The page that asks, for the records that were chosen in a list."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": form.title,
        "form": form,
        "media": model_admin.media + form.media,
        "records": records,
        "checkbox": ACTION_CHECKBOX_NAME,
    }
    return TemplateResponse(request, template, context)
