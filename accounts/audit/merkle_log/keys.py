"""The keys that signed heads, and which of them are compromised.

A compromised key can sign any head with any date. From the time of the compromise its heads prove
nothing, except to people who already had them.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max, Min
from django.utils import timezone

from accounts import reasons
from accounts.audit import messages
from accounts.audit.event_tags import AccountsEvent
from accounts.audit.merkle_log.signed_notes import Note, Verifier
from accounts.audit.models import AuditEvent, CompromisedAuditKey, SignedHead
from accounts.errors import InvalidValue
from accounts.users import recent_authentication


def recorded_verifiers() -> list[Verifier]:
    """Return every key that has signed a head, once for each name of the log."""
    vkeys = SignedHead.objects.order_by().values_list("vkey", flat=True).distinct()
    return [Verifier.parse(vkey) for vkey in vkeys]


def key_history() -> list[dict[str, Any]]:
    """Return every key that has signed a head, most recently used first, for the page of keys.

    Each has `vkey`, `first` and `last` (signing times), `state` (`current`, `retired` or
    `compromised`) and `mark`, the CompromisedAuditKey or None.
    """
    marks = {mark.public: mark for mark in CompromisedAuditKey.objects.all()}
    vkeys = SignedHead.objects.order_by().values("vkey")
    uses = vkeys.annotate(first=Min("signed_at"), last=Max("signed_at")).order_by("-last")
    history = []
    for position, use in enumerate(uses):
        mark = marks.get(Verifier.parse(use["vkey"]).public)
        state = "compromised" if mark else "retired" if position else "current"
        history.append({**use, "mark": mark, "state": state})
    return history


def find_mark(verifier: Verifier) -> CompromisedAuditKey | None:
    return CompromisedAuditKey.objects.filter(public=verifier.public).first()


@transaction.atomic
def mark_compromised(
    key_id: str, reason: str, since: datetime | None = None
) -> CompromisedAuditKey:
    """Mark a key as compromised from `since`, by default from its first signature.

    `key_id` is the id in hex or the whole `name+id+key`. Marking a key again can only move
    `since` to an earlier time. Raises InvalidValue, and in a request RecentAuthenticationRequired
    if the sign-in is too old.
    """
    recent_authentication.require()
    reason = reasons.checked(reason, "the reason is public")
    verifier = _find_verifier(key_id)
    heads = SignedHead.objects.filter(vkey__endswith=verifier.public)
    begin = since or heads.order_by("signed_at").values_list("signed_at", flat=True)[0]
    if begin > timezone.now():
        raise InvalidValue("a key cannot be compromised from a later time on; leave --since out")
    mark, created = CompromisedAuditKey.objects.select_for_update().get_or_create(
        public=verifier.public, defaults={"since": begin, "reason": reason}
    )
    if not created and begin >= mark.since:
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


def _find_verifier(key_id: str) -> Verifier:
    verifiers = recorded_verifiers()
    for verifier in verifiers:
        if key_id in {verifier.key_id.hex(), verifier.vkey}:
            return verifier
    ids = ", ".join(verifier.key_id.hex() for verifier in verifiers)
    raise InvalidValue(f"there is no audit key {key_id!r}; there are: {ids or 'none yet'}")


def compromise_of(note: Note, verifier: Verifier) -> CompromisedAuditKey | None:
    """Return the mark that invalidates this note; if the note has no time, any mark of its key."""
    mark = find_mark(verifier)
    return mark if mark and (note.time is None or note.time >= mark.since) else None
