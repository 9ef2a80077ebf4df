"""Former and new values of changed fields, for the details of audit events."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import models

#: Maximum characters; a longer value is described by its length.
MOST = 120


def changed_fields(before: models.Model, after: models.Model) -> list[str]:
    """Return the names of the stored fields in which two versions of a record differ."""
    fields = before._meta.concrete_fields
    return [one.name for one in fields if _stored(before, one) != _stored(after, one)]


def changes(
    before: models.Model, after: models.Model, names: Iterable[str]
) -> dict[str, list[str]]:
    """Return label -> [former value, new value], as texts, of the named fields.

    Fields that name people are left out: an event must not contain names.
    """
    found = {}
    for name in names:
        field: Any = before._meta.get_field(name)
        if field.related_model is not get_user_model():
            label = str(field.verbose_name)
            found[label] = [_text(before, field), _text(after, field)]
    return found


def _stored(record: models.Model, field: Any) -> Any:
    return getattr(record, field.attname)


def _text(record: models.Model, field: Any) -> str:
    value = getattr(record, field.name)
    if field.choices:
        value = dict(field.flatchoices).get(value, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value == "":
        return "none"
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text if len(text) <= MOST else f"a text of {len(text):,} characters"
