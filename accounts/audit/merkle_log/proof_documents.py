"""Proof documents: JSON that can be verified without this portal.

A document contains the exact hashed bytes, so a verifier needs only RFC 9162 and
c2sp.org/signed-note (docs/audit.md).
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload

from accounts.audit.merkle_log import proofs, signed_heads
from accounts.audit.merkle_log.canonical import canonical
from accounts.audit.merkle_log.sealed_tables import Log, Row
from accounts.audit.models import SealedRow, SignedHead
from accounts.users.models import User

FORMAT = "weighbridge-audit-proof/1"


class NotCovered(Exception):
    """No signed head, or not the requested one, covers the row."""


@dataclass(frozen=True)
class OwnRow:
    """A row that concerns `person`; `has_proof` if a signed head covers it."""

    row: Row
    log: Log
    person: User
    has_proof: bool

    @property
    def id(self) -> int:
        return int(self.row[0])

    @property
    def at(self) -> datetime:
        created: datetime = self.row[1]
        return created

    @property
    def disclosed(self) -> dict[str, Any]:
        """The content of the leaf."""
        return self.log.form(self.row)

    @property
    def withheld(self) -> dict[str, Any] | None:
        """The content of the leaf's `withheld` hash, only for the event's actor."""
        content = self.log.withheld(self.row) if self.log.withheld else None
        return content if content and content["actor_id"] == str(self.person.public_id) else None

    @property
    def is_by_person(self) -> bool:
        return self.log.withheld is None or self.withheld is not None


class OwnRows(Sequence[OwnRow]):
    """The rows of a log that concern a person, newest first, in three queries per page."""

    def __init__(self, log: Log, person: User) -> None:
        self._log, self._person, self._rows = log, person, log.rows_of(person)

    def __len__(self) -> int:
        return self._rows.count()

    @overload
    def __getitem__(self, part: int) -> OwnRow: ...

    @overload
    def __getitem__(self, part: slice) -> list[OwnRow]: ...

    def __getitem__(self, part: int | slice) -> OwnRow | list[OwnRow]:
        if isinstance(part, int):
            return self[part : part + 1][0]
        log = self._log
        rows = list(self._rows.order_by("-pk").values_list(*log.fields)[part])
        sizes = SignedHead.objects.trusted().order_by("-size").values_list("size", flat=True)
        size = sizes.first() or 0
        sealed = SealedRow.objects.filter(log=log.number, row_id__in=[row[0] for row in rows])
        indexes = dict(sealed.values_list("row_id", "index"))
        return [OwnRow(row, log, self._person, indexes.get(row[0], size) < size) for row in rows]


def inclusion(
    log: Log, person: User, row_id: int, size: int | None = None
) -> dict[str, Any] | None:
    """Prove a person's row under the newest trusted head, or under the head of `size` leaves.

    A head of a compromised key is used only if its size is requested. Returns None if the row
    does not exist or does not concern the person. Raises NotCovered and MissingNode.
    """
    row = log.rows_of(person).filter(pk=row_id).values_list(*log.fields).first()
    if row is None:
        return None
    leaf = SealedRow.objects.filter(log=log.number, row_id=row_id).first()
    head = signed_heads.of_size(size) if size else signed_heads.newest_trusted()
    if leaf is None or head is None or head.size <= leaf.index:
        raise NotCovered
    withheld = OwnRow(row, log, person, has_proof=True).withheld
    return {
        "format": FORMAT,
        "leaf": log.leaf_input(row).decode(),
        "withheld": canonical(withheld).decode() if withheld else None,
        "index": leaf.index,
        "size": head.size,
        "path": _base64(proofs.inclusion_proof(leaf.index, head.size)),
        "head": head.note,
        "key": head.vkey,
    }


def consistency(first: SignedHead, second: SignedHead) -> dict[str, Any]:
    """Prove that the tree of `second` extends that of `first`. Raises MissingNode."""
    return {
        "format": "weighbridge-audit-consistency/1",
        "first": first.note,
        "second": second.note,
        "path": _base64(proofs.consistency_proof(first.size, second.size)),
    }


def _base64(path: Sequence[bytes]) -> list[str]:
    return [b64encode(digest).decode() for digest in path]
