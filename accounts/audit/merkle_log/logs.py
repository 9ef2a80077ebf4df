"""Which tables are sealed, and what of a row is: its canonical form.

Whoever checks a proof hashes these bytes, so a form never changes; a new field means a new
form beside the old one. The network is left out, since it is forgotten (docs/decisions/0006).
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import models

from accounts.audit import own_events
from accounts.audit.merkle_log.canonical import canonical, moment, person
from accounts.audit.models import AuditEvent
from accounts.users.models import User

#: A row as the database gives it: the fields of its log, the id first.
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Log:
    """A sealed table; `number` stands in the leaves and is never used again for another."""

    number: int
    name: str
    model: type[models.Model]
    fields: tuple[str, ...]
    #: What is hashed, as a value for `canonical`.
    form: Callable[[Row], dict[str, Any]]
    #: The rows that are one person's to see, and to have a proof of.
    concerning: Callable[[User], "models.QuerySet[Any]"]
    #: The part of a row that only who did it may see, where there is one: it is in the form
    #: as its hash.
    withheld: Callable[[Row], dict[str, Any]] | None = None

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def rows(self) -> "models.QuerySet[Any]":
        """Every row, without what the model's own manager adds."""
        return models.QuerySet(self.model)

    def leaf(self, row: Row) -> bytes:
        return canonical(self.form(row))


#: Of an event, what is told to the person it concerns even where somebody else did it.
EVENT_TOLD = ("id", "at", "action", "object_kind", "object_id", "result")
#: The rest enters the leaf as one hash, so that a proof need not show it. The random ids of
#: actor and request keep it from being guessed.
EVENT_WITHHELD = ("actor_id", "credential_kind", "credential_id", "details", "request_id")


def event_form(row: Row) -> dict[str, Any]:
    key, at, action, object_kind, object_id, result, *_ = row
    return {
        "log": "event",
        "id": key,
        "at": moment(at),
        "action": action,
        "object_kind": object_kind,
        "object_id": object_id,
        "result": result,
        "withheld": sha256(canonical(event_withheld(row))).hexdigest(),
    }


def event_withheld(row: Row) -> dict[str, Any]:
    actor_id, *others = row[len(EVENT_TOLD) :]
    return {"actor_id": person(actor_id), **dict(zip(EVENT_WITHHELD[1:], others, strict=True))}


EVENTS = Log(
    1,
    "event",
    AuditEvent,
    (*EVENT_TOLD, *EVENT_WITHHELD),
    event_form,
    own_events.of,
    event_withheld,
)
#: Apps that keep a log of their own add it when they are ready.
LOGS: list[Log] = [EVENTS]


def named(name: str) -> Log:
    """KeyError where there is no such log."""
    return {log.name: log for log in LOGS}[name]
