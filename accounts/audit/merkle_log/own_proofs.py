"""Proofs for the person whom a row concerns: a file that is checked without this portal.

It holds the very bytes that were hashed, so that whoever checks it needs no rules of ours but
those of RFC 9162 (docs/audit.md).
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, overload

from accounts.audit.merkle_log import heads, proofs
from accounts.audit.merkle_log.canonical import canonical
from accounts.audit.merkle_log.logs import Log, Row
from accounts.audit.models import SealedRow, SignedHead
from accounts.users.models import User

FORMAT = "weighbridge-audit-proof/1"


class NotYet(Exception):
    """No head has been signed over the row, or not the one asked for."""


@dataclass(frozen=True)
class OwnRow:
    """One of a person's rows, and whether a head is signed over it."""

    row: Row
    log: Log
    person: User
    is_proved: bool

    @property
    def id(self) -> int:
        return int(self.row[0])

    @property
    def at(self) -> datetime:
        moment: datetime = self.row[1]
        return moment

    @property
    def told(self) -> dict[str, Any]:
        """What the leaf tells, as it is hashed."""
        return self.log.form(self.row)

    @property
    def withheld(self) -> dict[str, Any] | None:
        """What the leaf holds as a hash, for the person who did it."""
        facts = self.log.withheld(self.row) if self.log.withheld else None
        return facts if facts and facts["actor_id"] == str(self.person.public_id) else None

    @property
    def is_by_them(self) -> bool:
        return self.log.withheld is None or self.withheld is not None


class Rows(Sequence[OwnRow]):
    """A person's rows, the newest first, for a paginator: three queries a page."""

    def __init__(self, log: Log, person: User) -> None:
        self._log, self._person, self._found = log, person, log.concerning(person)

    def __len__(self) -> int:
        return self._found.count()

    @overload
    def __getitem__(self, part: int) -> OwnRow: ...

    @overload
    def __getitem__(self, part: slice) -> list[OwnRow]: ...

    def __getitem__(self, part: int | slice) -> OwnRow | list[OwnRow]:
        if isinstance(part, int):
            return self[part : part + 1][0]
        log = self._log
        found = list(self._found.order_by("-pk").values_list(*log.fields)[part])
        sizes = SignedHead.objects.trusted().order_by("-size").values_list("size", flat=True)
        head = sizes.first() or 0
        sealed = SealedRow.objects.filter(log=log.number, row_id__in=[row[0] for row in found])
        places = dict(sealed.values_list("row_id", "index"))
        return [OwnRow(row, log, self._person, places.get(row[0], head) < head) for row in found]


def of(log: Log, person: User, row_id: int, size: int | None = None) -> dict[str, Any] | None:
    """The proof of one of a person's rows under the newest head, or under that of a size.

    A head by a key that others may have had is taken only where its size is asked for.

    None for a row that is not theirs or not there. Raises NotYet.
    """
    row = log.concerning(person).filter(pk=row_id).values_list(*log.fields).first()
    if row is None:
        return None
    place = SealedRow.objects.filter(log=log.number, row_id=row_id).first()
    head = heads.of_size(size) if size else heads.newest()
    if place is None or head is None or head.size <= place.index:
        raise NotYet
    own = OwnRow(row, log, person, is_proved=True).withheld
    return {
        "format": FORMAT,
        "leaf": log.leaf(row).decode(),
        "withheld": canonical(own).decode() if own else None,
        "index": place.index,
        "size": head.size,
        "path": _words(proofs.inclusion(place.index, head.size)),
        "head": head.note,
        "key": head.vkey,
    }


def between(first: SignedHead, second: SignedHead) -> dict[str, Any]:
    """What shows the tree of one head to go on from that of an earlier one.

    Raises NotSealed where the tree was damaged.
    """
    return {
        "format": "weighbridge-audit-consistency/1",
        "first": first.note,
        "second": second.note,
        "path": _words(proofs.consistency(first.size, second.size)),
    }


def _words(path: Sequence[bytes]) -> list[str]:
    return [b64encode(one).decode() for one in path]
