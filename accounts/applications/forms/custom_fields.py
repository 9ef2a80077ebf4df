"""The form field of each kind of extra question."""

from collections.abc import Callable

from django import forms
from django_countries import countries

from accounts.applications.custom_questions import Extra, Kind
from accounts.applications.forms.hardware import HardwareField
from accounts.web.form_fields import TextField, choice

_HARDWARE_HELP = "One machine a line, such as: 8 x 80 GB A100"
_DATE_HELP = "As year-month-day, such as 2027-03-31"


class DocumentField(forms.Field):
    """Stands for documents, which come by a page of their own; holds no text."""

    widget = forms.HiddenInput
    is_document = True


def field_of(extra: Extra) -> forms.Field:
    """What asks this question.

    No field demands an answer by itself: whether one must be there is judged together with
    the condition on which it is asked.
    """
    field = _MAKERS[extra.kind](extra)
    field.label, field.required = extra.label, False
    field.help_text = field.help_text or extra.help_text
    field.asked = extra.required  # type: ignore[attr-defined]
    field.extra = extra  # type: ignore[attr-defined]
    return field


def _text(extra: Extra) -> forms.Field:
    return TextField(max_length=500)


def _long(extra: Extra) -> forms.Field:
    return TextField(max_length=5000, widget=forms.Textarea({"rows": 4, "class": "short"}))


def _number(extra: Extra) -> forms.Field:
    widget = forms.TextInput({"inputmode": "decimal"})
    return forms.DecimalField(widget=widget, max_digits=15, decimal_places=4)


def _select(extra: Extra) -> forms.Field:
    return choice("", {text: text for text in extra.choices})


def _several(extra: Extra) -> forms.Field:
    offered = [(text, text) for text in extra.choices]
    return forms.MultipleChoiceField(choices=offered, widget=forms.CheckboxSelectMultiple)


def _tick(extra: Extra) -> forms.Field:
    return forms.BooleanField()


def _date(extra: Extra) -> forms.Field:
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    told = f"{extra.help_text} {_DATE_HELP}".strip()
    return forms.DateField(widget=widget, input_formats=["%Y-%m-%d"], help_text=told)


def _country(extra: Extra) -> forms.Field:
    return forms.ChoiceField(choices=[("", "Choose…"), *countries])


def _url(extra: Extra) -> forms.Field:
    return forms.URLField(assume_scheme="https", max_length=500)


def _document(extra: Extra) -> forms.Field:
    return DocumentField()


def _hardware(extra: Extra) -> forms.Field:
    return HardwareField(help_text=f"{extra.help_text} {_HARDWARE_HELP}".strip(), max_length=3000)


_MAKERS: dict[Kind, Callable[[Extra], forms.Field]] = {
    Kind.TEXT: _text,
    Kind.LONG_TEXT: _long,
    Kind.NUMBER: _number,
    Kind.SELECT: _select,
    Kind.MULTI_SELECT: _several,
    Kind.TICK: _tick,
    Kind.DATE: _date,
    Kind.COUNTRY: _country,
    Kind.URL: _url,
    Kind.FILE: _document,
    Kind.HARDWARE: _hardware,
}
