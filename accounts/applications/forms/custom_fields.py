"""Form fields of custom questions, by kind."""

from collections.abc import Callable

from django import forms
from django_countries import countries

from accounts.applications.custom_questions import CustomQuestion, Kind
from accounts.applications.forms.hardware import HardwareField
from accounts.web.form_fields import TextField, choice

_HARDWARE_HELP = "One machine per line, such as: 8 x 80 GB A100"
_DATE_HELP = "As year-month-day, such as 2027-03-31"


class DocumentField(forms.Field):
    """A placeholder for documents, which are uploaded on a separate page."""

    widget = forms.HiddenInput
    is_document = True


def build_field(question: CustomQuestion) -> forms.Field:
    """Return the form field of a question.

    The field is never required by itself: `ApplicationForm` checks that together with the condition
    of the question.
    """
    field = _FIELDS[question.kind](question)
    field.label, field.required = question.label, False
    field.help_text = f"{question.help_text} {field.help_text}".strip()
    field.asked = question.required  # type: ignore[attr-defined]
    return field


def _multi_select(question: CustomQuestion) -> forms.Field:
    choices = [(text, text) for text in question.choices]
    return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple)


def _date(question: CustomQuestion) -> forms.Field:
    widget = forms.DateInput({"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(widget=widget, input_formats=["%Y-%m-%d"], help_text=_DATE_HELP)


_FIELDS: dict[Kind, Callable[[CustomQuestion], forms.Field]] = {
    Kind.TEXT: lambda question: TextField(max_length=500),
    Kind.LONG_TEXT: lambda question: TextField(
        max_length=5000, widget=forms.Textarea({"rows": 4, "class": "short"})
    ),
    Kind.NUMBER: lambda question: forms.DecimalField(
        widget=forms.TextInput({"inputmode": "decimal"}), max_digits=15, decimal_places=4
    ),
    Kind.SELECT: lambda question: choice("", {text: text for text in question.choices}),
    Kind.MULTI_SELECT: _multi_select,
    Kind.TICK: lambda question: forms.BooleanField(),
    Kind.DATE: _date,
    Kind.COUNTRY: lambda question: forms.ChoiceField(choices=[("", "Choose…"), *countries]),
    Kind.URL: lambda question: forms.URLField(assume_scheme="https", max_length=500),
    Kind.FILE: lambda question: DocumentField(),
    Kind.HARDWARE: lambda question: HardwareField(help_text=_HARDWARE_HELP, max_length=3000),
}
