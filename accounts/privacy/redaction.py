"""Removes a person's identifiers from the texts of every table.

Every table is searched unless it is excluded here, so that new ones are covered from the start.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import SESSION_KEY
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models.functions import Cast
from django.db.models.lookups import IContains

from accounts.audit import append_only
from accounts.audit.models import AuditEvent
from accounts.mail.models import OutgoingMail
from accounts.privacy.identity import Identity, spellings
from accounts.users.models import User

#: Apps whose tables may contain texts about a person.
_APPS = {"accounts", "weights", "portal", "admin"}
#: Tables that are not searched; `weights` adds its own.
EXCLUDED = {
    # The record that the licence requires, and others' own applications.
    *("accounts.HolderRecord", "accounts.Application", "accounts.ApplicationSnapshot"),
    # Published terms; people accepted a licence text by its hash.
    *("accounts.Tier", "accounts.TierChange", "accounts.Licence", "accounts.LicenceVersion"),
    *("accounts.Question", "accounts.FormVersion", "accounts.CompromisedAuditKey"),
    # The operators' own addresses.
    "accounts.HeadCopy",
}
#: Table -> its only searched fields; all text fields of other tables are searched.
_FIELDS = {"accounts.User": {"suspension_reason"}}


def redact_tables(identity: Identity) -> None:
    """Remove the identifiers from every row that contains a verified one.

    If somebody without an account made the row, such as a report, blank the network in the trail:
    it was probably the same person.
    """
    for model in apps.get_models(include_auto_created=True):
        if fields := _text_fields(model):
            for row in _rows_with(model, fields, identity.verified):
                _redact(row, fields, identity)
                AuditEvent.objects.forget_networks_of_strangers(row)


def redact_admin_log(person: User, identity: Identity) -> None:
    """Remove the person from Django's admin log.

    Entries about the account lose their texts. Entries about records that belong to people, such
    as a withdrawn role, lose the identifiers.
    """
    about_account = LogEntry.objects.filter(
        content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk)
    )
    about_account.update(object_repr=OutgoingMail.REMOVED, change_message="")
    kinds = ContentType.objects.get_for_models(*_models_of_people()).values()
    fields = ["object_repr", "change_message"]
    named = _contains_any(fields, identity.all)
    for entry in LogEntry.objects.filter(named, content_type__in=kinds):
        _redact(entry, fields, identity)


def end_sessions(person: User, identity: Identity) -> None:
    """Delete the person's sessions, and remove the identifiers from those of others.

    Anonymous sessions that store a form until the person signs in again are deleted too. Another
    user's session may contain the address: a form that an administrator sent before confirming
    their password.
    """
    places = [
        str(public_id) for public_id in person.applications.values_list("public_id", flat=True)
    ]
    for session in Session.objects.iterator():
        content = session.get_decoded()
        texts = [*_texts(content)]
        owner = content.get(SESSION_KEY)
        is_form = owner is None and any(place in text for place in places for text in texts)
        is_about = identity.concerns(*texts)
        if owner == str(person.pk) or is_form or (owner is None and is_about):
            session.delete()
        elif is_about:
            redacted = SessionStore().encode(identity.remove_from(content))
            Session.objects.filter(pk=session.pk).update(session_data=redacted)


def _text_fields(model: type[models.Model]) -> list[str]:
    """Return the free-text fields of a searched table."""
    label = model._meta.label
    is_protected = model._meta.db_table in append_only.TRAIL
    if model._meta.app_label not in _APPS or label in EXCLUDED or is_protected:
        return []
    kinds = (models.CharField, models.TextField, models.JSONField)
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, kinds)
        and not (field.unique or field.choices or field.is_relation)
        and field.name in _FIELDS.get(label, {field.name})
    ]


def _models_of_people() -> list[type[models.Model]]:
    """Return the account model, and every model that refers to it."""
    return [User, *{relation.related_model for relation in User._meta.related_objects}]


def _rows_with(
    model: type[models.Model], fields: list[str], texts: tuple[str, ...]
) -> Iterator[models.Model]:
    """Yield the rows that contain one of the texts, ignoring case."""
    if texts:
        rows = model._base_manager.filter(_contains_any(fields, texts))
        yield from rows.select_for_update(of=("self",), no_key=True).iterator()


def _contains_any(fields: list[str], texts: tuple[str, ...]) -> models.Q:
    """Return the condition that a field contains one of the texts, also within JSON."""
    found = models.Q(pk__in=[])
    for name in fields:
        for text in texts:
            for spelling in spellings(text):
                found |= models.Q(IContains(Cast(name, models.TextField()), spelling))
    return found


def _redact(row: models.Model, fields: list[str], identity: Identity) -> None:
    """Replace the identifiers in a row; a column that contains nothing else becomes empty."""
    changes = {}
    for name in fields:
        before = getattr(row, name)
        after = "" if identity.equals(before) else identity.remove_from(before)
        if after != before:
            limit = getattr(row._meta.get_field(name), "max_length", None)
            changes[name] = after[:limit] if isinstance(after, str) else after
    if changes:
        type(row)._base_manager.filter(pk=row.pk).update(**changes)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
