"""Fields as this portal counts and words them."""

from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, MinLengthValidator

from accounts.web.sanitize import form_text

_TOO_SHORT = "Write at least %(limit_value)d characters; so far there are %(show_value)d."
_TOO_LONG = "Write at most %(limit_value)d characters; now there are %(show_value)d."


class TextField(forms.CharField):
    """Text whose length counts after normalisation; the browser cuts nothing off.

    Without a text area it is one line, which a browser ensures and other clients need not.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Writing from right to left shows so, whatever the page's language.
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


def text(label: str, least: int, most: int, **extra: Any) -> TextField:
    return TextField(label=label, min_length=least, max_length=most, **extra)


def long_text(label: str, least: int, most: int, rows: int = 8, **extra: Any) -> TextField:
    return text(label, least, most, widget=forms.Textarea({"rows": rows}), **extra)


def choice(label: str, choices: dict[str, str], **extra: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "Choose…"), *choices.items()], **extra)
