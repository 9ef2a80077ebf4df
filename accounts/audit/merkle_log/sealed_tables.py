"""The sealed tables, and the canonical form of their rows.

Verifiers hash these exact bytes, so a form never changes; new fields require a new form. The
network is not part of a form, because it is blanked later (docs/decisions/0006).
"""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.db import models

from accounts.audit import queries
from accounts.audit.merkle_log.canonical import canonical, timestamp
from accounts.audit.models import AuditEvent
from accounts.users.models import User

#: The values of a log's `fields`, id first.
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Log:
    """A sealed table. Leaves store its `number`, which must never be reused for another table."""

    number: int
    name: str
    model: type[models.Model]
    fields: tuple[str, ...]
    #: Returns the JSON value that is hashed for a row.
    form: Callable[[Row], dict[str, Any]]
    #: Returns the rows that a person may read and obtain proofs for.
    rows_of: Callable[[User], "models.QuerySet[Any]"]
    #: Returns the part of a row that only its actor may read; `form` contains its hash.
    withheld: Callable[[Row], dict[str, Any]] | None = None

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def rows(self) -> "models.QuerySet[Any]":
        """All rows, without the annotations of the model's manager."""
        return models.QuerySet(self.model)

    def leaf_input(self, row: Row) -> bytes:
        """Return the bytes that are hashed into the row's leaf."""
        return canonical(self.form(row))


#: The fields of an event that the person concerned may read even if somebody else was the actor.
EVENT_DISCLOSED = ("id", "at", "action", "object_kind", "object_id", "result")
#: The other fields enter the leaf as one hash, so that a proof need not disclose them. The
#: random ids of actor and request prevent guessing the hashed content.
EVENT_WITHHELD = ("actor_id", "credential_kind", "credential_id", "details", "request_id")


def event_form(row: Row) -> dict[str, Any]:
    disclosed = dict(zip(EVENT_DISCLOSED, row[: len(EVENT_DISCLOSED)], strict=True))
    return {
        "log": "event",
        **disclosed,
        "at": timestamp(disclosed["at"]),
        "withheld": sha256(canonical(event_withheld(row))).hexdigest(),
    }


def event_withheld(row: Row) -> dict[str, Any]:
    withheld = dict(zip(EVENT_WITHHELD, row[len(EVENT_DISCLOSED) :], strict=True))
    actor_id = withheld["actor_id"]
    return {**withheld, "actor_id": str(actor_id) if actor_id else None}


EVENTS = Log(
    number=1,
    name="event",
    model=AuditEvent,
    fields=(*EVENT_DISCLOSED, *EVENT_WITHHELD),
    form=event_form,
    rows_of=queries.events_concerning,
    withheld=event_withheld,
)
#: Other apps append their logs in `AppConfig.ready`.
LOGS: list[Log] = [EVENTS]


def get_log(name: str) -> Log:
    """Return the log with this name. Raises KeyError."""
    return {log.name: log for log in LOGS}[name]
