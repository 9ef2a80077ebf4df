"""Fields as this portal counts and words them."""

import unicodedata
from typing import Any

from django import forms
from django.core.validators import MaxLengthValidator, MinLengthValidator

#: Marks that make a line read against its letters, so that it shows what it does not say.
_OVERRIDES = dict.fromkeys(map(ord, "\u202d\u202e"))
_TOO_SHORT = "Write at least %(limit_value)d characters; so far there are %(show_value)d."
_TOO_LONG = "Write at most %(limit_value)d characters; now there are %(show_value)d."


def normal(text: str) -> str:
    """Text as it is counted and kept: Unicode NFC, one kind of line end, trimmed.

    NUL and halves of surrogate pairs, which no database keeps, are left out, and so are
    overrides of the writing direction (U+202D, U+202E), with which a name could pose as another.
    """
    kept = text.replace("\r\n", "\n").replace("\0", "").encode("utf-8", "ignore").decode()
    kept = kept.translate(_OVERRIDES)
    return unicodedata.normalize("NFC", kept).strip()


class TextField(forms.CharField):
    """Text whose length counts after normalisation; the browser cuts nothing off."""

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
        return normal(super().to_python(value) or "")

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {}


def text(label: str, least: int, most: int, **extra: Any) -> TextField:
    return TextField(label=label, min_length=least, max_length=most, **extra)


def long_text(label: str, least: int, most: int, rows: int = 8, **extra: Any) -> TextField:
    return text(label, least, most, widget=forms.Textarea({"rows": rows}), **extra)


def choice(label: str, choices: dict[str, str], **extra: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=[("", "Choose…"), *choices.items()], **extra)
