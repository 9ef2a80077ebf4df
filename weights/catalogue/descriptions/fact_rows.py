"""The form of a checkpoint's facts: one row each, with label, value, unit and source."""

import re
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from weights.catalogue import facts
from weights.catalogue.models import Checkpoint

PREFIX = "facts"
#: Empty rows to fill in; each save adds as many again.
_EMPTY_ROWS = 3
_MAX_ROWS = 200
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,2})?", re.ASCII)
_IS_URL = URLValidator(["https", "http"])
#: The source of a fact that is computed from others.
_COMPUTED = "computed"


class FactForm(forms.Form):
    key = forms.CharField(required=False, max_length=100, widget=forms.HiddenInput)
    label = forms.CharField(max_length=100)
    value = forms.CharField(max_length=500)
    unit = forms.ChoiceField(
        required=False, choices=[(unit, unit or "none") for unit in facts.UNITS]
    )
    source = forms.CharField(max_length=500)

    def __init__(self, *args: Any, cited: frozenset[str] = frozenset(), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cited = cited

    def clean_source(self) -> str:
        """Accepts a URL, a citation of the family, `computed`, and the unchanged source."""
        source: str = self.cleaned_data["source"]
        words = re.split(r"[ ,;]", source)
        if source == self.initial.get("source") or words[0] in {_COMPUTED, *self.cited}:
            return source
        try:
            _IS_URL(source)
        except ValidationError as error:
            known = ", ".join([_COMPUTED, *sorted(self.cited)])
            raise ValidationError(f"Enter a URL, or begin with one of: {known}.") from error
        return source

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if {"label", "value", "source"} <= cleaned.keys():
            cleaned["key"] = cleaned["key"] or _key_of(cleaned["label"])
            unit = cleaned.get("unit", "")
            cleaned["value"] = value = _parsed(cleaned["value"], unit)
            try:
                fact = {"label": cleaned["label"], "source": cleaned["source"], "unit": unit}
                facts.validate({cleaned["key"]: fact})
                facts.validate_value(
                    cleaned["label"], value, unit or facts.unit_of(cleaned["key"], {})
                )
            except ValueError as error:
                raise ValidationError(f"{error}.") from error
        return cleaned


class _FactRows(forms.BaseFormSet):
    def clean(self) -> None:
        """Refuses two rows for the same fact."""
        seen = set()
        for form in self.forms:
            key = form.cleaned_data.get("key") if form.is_valid() else None
            if not key or form.cleaned_data.get("DELETE"):
                continue
            if key in seen:
                raise ValidationError(f"Two rows have the label {form.cleaned_data['label']}.")
            seen.add(key)


_Rows = forms.formset_factory(
    FactForm, _FactRows, extra=_EMPTY_ROWS, can_delete=True, max_num=_MAX_ROWS, validate_max=True
)


def rows_of(checkpoint: Checkpoint, data: Mapping[str, Any] | None) -> forms.BaseFormSet:
    """The rows of the stored facts, or the posted ones; unbound if `data` contains none."""
    stored: dict[str, dict[str, Any]] = checkpoint.facts
    initial = [
        {
            "key": key,
            "label": fact.get("label") or facts.LABELS.get(key, key),
            "value": "" if fact.get("value") is None else fact["value"],
            "unit": facts.unit_of(key, fact),
            "source": fact.get("source", ""),
        }
        for key, fact in facts.in_order(stored)
    ]
    family = checkpoint.family
    cited = frozenset(family.facts.get("sources", {})) if family else frozenset()
    bound = data if data is not None and f"{PREFIX}-TOTAL_FORMS" in data else None
    return _Rows(bound, initial=initial, prefix=PREFIX, form_kwargs={"cited": cited})


def facts_of(rows: forms.BaseFormSet, stored: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The facts of valid rows. A changed value loses the old one's note and status."""
    found: dict[str, dict[str, Any]] = {}
    for form in rows.forms:
        row = form.cleaned_data
        if not row.get("key") or row.get("DELETE"):
            continue
        key, before = row["key"], dict(stored.get(row["key"], {}))
        fact = before if before.get("value") == row["value"] else {}
        fact |= {"value": row["value"], "source": row["source"]}
        if row["label"] != facts.LABELS.get(key):
            fact["label"] = row["label"]
        if row["unit"] != facts.unit_of(key, {}):
            fact["unit"] = row["unit"]
        found[key] = fact
    return found


def _key_of(label: str) -> str:
    """The key of a label: that of a known label, else the label in lower case with underscores."""
    for key, known in facts.LABELS.items():
        if label.casefold() in {known.casefold(), key}:
            return key
    return re.sub(r"\W+", "_", label.casefold()).strip("_")[:100] or label


def _parsed(text: str, unit: str) -> int | float | str:
    """The text as a number, with or without commas, or unchanged if it is not a number."""
    digits = text.replace(",", "").replace(" ", "") if unit != facts.DAY else text
    if _INTEGER.fullmatch(digits):
        return int(digits)
    return float(digits) if _NUMBER.fullmatch(digits) else text
