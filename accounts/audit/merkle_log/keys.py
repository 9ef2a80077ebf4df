"""The keys that signed heads, and those of them that others may have had.

Whoever has a key signs what they like under any date. So a head that such a key signed is
believed for what it says only if somebody kept it from before.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone

from accounts.audit import messages
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.merkle_log.notes import Note, Verifier
from accounts.audit.models import AuditEvent, CompromisedAuditKey, SignedHead
from accounts.errors import InvalidValue

REASON_LENGTH = 500


def on_record() -> list[Verifier]:
    """Every key that has signed a head here, once for each name that the log had."""
    spelt = SignedHead.objects.order_by().values_list("vkey", flat=True).distinct()
    return [Verifier.read(vkey) for vkey in spelt]


def told() -> list[dict[str, Any]]:
    """Every key that has signed, the last one first, as the page of keys tells it.

    `vkey`, `first` and `last` (when it signed), `state`, and `mark` for a compromised one.
    """
    marks = {mark.public: mark for mark in CompromisedAuditKey.objects.all()}
    spelt = SignedHead.objects.order_by().values("vkey")
    times = spelt.annotate(first=Min("signed_at"), last=Max("signed_at")).order_by("-last")
    found = []
    for place, key in enumerate(times):
        mark = marks.get(Verifier.read(key["vkey"]).public)
        state = "compromised" if mark else "retired" if place else "current"
        found.append({**key, "mark": mark, "state": state})
    return found


def mark_of(verifier: Verifier) -> CompromisedAuditKey | None:
    return CompromisedAuditKey.objects.filter(public=verifier.public).first()


@transaction.atomic
def mark_compromised(
    key_id: str, reason: str, since: datetime | None = None
) -> CompromisedAuditKey:
    """Mark the key of this id: nothing that it signed from `since` on proves anything.

    Without `since` that is all it ever signed. Again it may only begin earlier. Raises
    InvalidValue.
    """
    reason = reason.strip()
    if not 5 <= len(reason) <= REASON_LENGTH:
        raise InvalidValue(f"say why in 5 to {REASON_LENGTH} characters; everybody reads it")
    verifier = _of_id(key_id)
    heads = SignedHead.objects.filter(vkey__endswith=verifier.public)
    begin = since or heads.order_by("signed_at").values_list("signed_at", flat=True)[0]
    if begin > timezone.now():
        raise InvalidValue("a key cannot be compromised from a later time on; leave --since out")
    mark, new = CompromisedAuditKey.objects.select_for_update().get_or_create(
        public=verifier.public, defaults={"since": begin, "reason": reason}
    )
    if not new and begin >= mark.since:
        return mark
    mark.since, mark.reason = begin, reason
    mark.save(update_fields=["since", "reason"])
    AuditEvent.record(
        AccountsEvent.AUDIT_KEY_COMPROMISED,
        target=mark,
        credential=("command", ""),
        details={"key": verifier.vkey, "since": begin.isoformat(), "reason": reason},
    )
    for address in settings.AUDIT_HEAD_RECIPIENTS:
        messages.audit_key_compromised(mark, verifier.vkey, address)
    return mark


def _of_id(key_id: str) -> Verifier:
    known = on_record()
    for verifier in known:
        if key_id in {verifier.key_id.hex(), verifier.vkey}:
            return verifier
    ids = ", ".join(verifier.key_id.hex() for verifier in known)
    raise InvalidValue(f"there is no audit key {key_id!r}; there are: {ids or 'none yet'}")


def in_doubt(note: Note, verifier: Verifier) -> CompromisedAuditKey | None:
    """The mark by which a head proves nothing, if there is one; a head without a time does not."""
    mark = mark_of(verifier)
    return mark if mark and (note.time is None or note.time >= mark.since) else None
