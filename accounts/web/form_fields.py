"""Form fields with the portal's length rules and messages."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, MinLengthValidator

from accounts.web.sanitize import form_text

_TOO_SHORT = "Write at least %(limit_value)d characters; so far there are %(show_value)d."
_TOO_LONG = "Write at most %(limit_value)d characters; now there are %(show_value)d."


class TextField(forms.CharField):
    """Text whose length only the server checks, after normalisation.

    Without a text area, line breaks become spaces; only non-browser clients send them.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Shows right-to-left scripts correctly in a page of any language.
        self.widget.attrs.setdefault("dir", "auto")
        for bound in self.validators:
            if isinstance(bound, MinLengthValidator):
                bound.message = _TOO_SHORT
            elif isinstance(bound, MaxLengthValidator):
                bound.message = _TOO_LONG

    def to_python(self, value: Any) -> str:
        text = form_text(super().to_python(value) or "")
        return text if isinstance(self.widget, forms.Textarea) else " ".join(text.splitlines())

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {}


def text(label: str, minimum: int, maximum: int, **extra: Any) -> TextField:
    return TextField(label=label, min_length=minimum, max_length=maximum, **extra)


def long_text(label: str, minimum: int, maximum: int, rows: int = 8, **extra: Any) -> TextField:
    return text(label, minimum, maximum, widget=forms.Textarea({"rows": rows}), **extra)


def choice(label: str, choices: dict[str, str], **extra: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "Choose…"), *choices.items()], **extra)
