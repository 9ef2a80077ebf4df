"""The admin's form for curves."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from weights.logbook import points


class PointsField(forms.CharField):
    """Lines of `x, y` for a list of points."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return points.as_text(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        try:
            return points.parse(super().to_python(value) or "")
        except ValueError as error:
            raise ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(points.parse(data or "") != (initial or []))
        except ValueError:
            return True


class SeriesForm(forms.ModelForm):
    points = PointsField(
        help_text="One point per line, in order: a step or date (2021-11-17), a comma, the value"
    )
