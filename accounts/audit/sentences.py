"""Audit events as sentences, and their details as words and units."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from django.db import models
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst

from accounts.audit.event_tags import EventTag
from accounts.audit.models import AuditEvent
from accounts.web.byte_sizes import format_size

#: Kind of object -> its phrase, with the object as `0`; others are named by kind and `str`.
_PHRASES = {
    "application": "the application {0.reference} of {0.applicant} for {0.tier}",
    "user": "the account {0.username}",
    "grant": "the grant of {0.tier} to {0.user}",
}
#: Names of details that are counts of bytes.
_BYTES = {"bytes", "size", "stored_bytes", "bytes_read", "length"}
#: The number of changes that a sentence names; its event lists all of them.
_NAMED = 3
_CODE = re.compile(r"[a-z]+(_[a-z]+)+")

#: (kind, id) of an object, as events store them, to its phrase.
Names = dict[tuple[str, str], str]


def object_phrase(record: models.Model) -> str:
    """Return an object in words: `the application A-2026-00042 of ada for OPT-175B`."""
    kind = record._meta.model_name or ""
    template = _PHRASES.get(kind, f"the {record._meta.verbose_name} {{0}}")
    return template.format(record)


def sentence(event: AuditEvent, names: Names) -> str:
    """Return the event as a sentence; objects missing from `names` are named by kind and id."""
    tag = EventTag.named(event.action)
    template = tag.sentence if tag else f"{{by}} did {event.action} to {{it}}"
    place = (event.object_kind, event.object_id)
    other = f"{event.object_kind.replace('_', ' ')} {event.object_id[:8]}".strip() or "the portal"
    text = template.format(by=event.actor_name or "the portal", it=names.get(place, other))
    if {"from", "to"} <= event.details.keys():
        text += f" from {event.details['from']} to {event.details['to']}"
    changed = list(_changes(event.details))
    if changed and event.action.endswith((".changed", ".moved")):
        rest = f"; {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        text += f": {'; '.join(changed[:_NAMED])}{rest}"
    refused = "" if event.result == "ok" else f" ({event.result.replace('_', ' ')})"
    return f"{capfirst(text) if not event.actor_name else text}{refused}"


def detail_lines(details: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each detail, without codes, raw byte counts and ISO times."""
    yield from (capfirst(change) for change in _changes(details))
    for name, value in details.items():
        if name == "changes" or (name == "fields" and ("changes" in details or _has_values(value))):
            continue
        yield f"{capfirst(name.replace('_', ' '))}: {_in_words(name, value)}"


def _changes(details: dict[str, Any]) -> Iterator[str]:
    """Yield a phrase such as `title from Old to New` for each changed field with both values."""
    changes = details.get("changes")
    if isinstance(changes, dict):
        for label, (before, after) in changes.items():
            yield f"{label} from {_text_in_words(before)} to {_text_in_words(after)}"
    fields = details.get("fields")
    for field in fields if isinstance(fields, list) else []:
        if isinstance(field, dict):
            label, before, after = (str(field.get(key, "")) for key in ("label", "before", "after"))
            yield f"{label[:1].lower()}{label[1:]} from {before or 'none'} to {after or 'none'}"


def _has_values(fields: Any) -> bool:
    return isinstance(fields, list) and any(isinstance(field, dict) for field in fields)


def _in_words(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(
            f"{key.replace('_', ' ')} {_in_words(key, one)}" for key, one in value.items()
        )
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(_in_words(name, one) for one in value) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int):
        return format_size(value) if name in _BYTES else f"{value:,}"
    return _text_in_words(str(value))


def _text_in_words(text: str) -> str:
    moment = parse_datetime(text) if re.match(r"\d{4}-\d\d-\d\dT", text) else None
    if moment is not None:
        return f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return text.replace("_", " ") if _CODE.fullmatch(text) else text or "empty"
