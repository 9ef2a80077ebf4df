"""Shows columns and read-only fields of the admin in words and units."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.contrib import admin
from django.db import models

from accounts.web.byte_sizes import format_size

#: Names of fields that count bytes, and of fields that contain codes without labels.
BYTES = frozenset({"size", "stored_bytes", "bytes_read", "length"})
CODES = frozenset({"kind", "code", "family", "credential_kind", "object_kind"})

Column = Callable[[Any], str]


def in_words(name: Any, model: type[models.Model]) -> Any:
    """Return a column for a field of bytes or codes, and `name` itself for any other."""
    if not isinstance(name, str) or name not in BYTES | CODES:
        return name
    fields = {field.name: field for field in model._meta.concrete_fields}
    field = fields.get(name)
    if field.choices if field else not hasattr(model, name):
        return name
    form = format_size if name in BYTES else words
    return _column(name, str(field.verbose_name) if field else name, form, bool(field))


def is_raw(options: Any) -> bool:
    """True for a fieldset that shows a record as stored."""
    return "raw" in options.get("classes", ())


def words(code: str) -> str:
    """Return a code in words: `file_quarantined` becomes `file quarantined`."""
    return str(code).replace("_", " ")


@cache  # Django compares the fields of a form with those that are read-only
def _column(name: str, title: str, form: Callable[[Any], str], is_field: bool) -> Column:
    @admin.display(description=title, ordering=name if is_field else None, empty_value="-")
    def column(record: Any) -> str:
        return form(getattr(record, name))

    column.__name__ = name
    return column


class CodeFilter(admin.AllValuesFieldListFilter):
    """Shows a field's codes in words."""

    def choices(self, changelist: Any) -> Any:
        for choice in super().choices(changelist):
            yield {**choice, "display": words(str(choice["display"]))}
