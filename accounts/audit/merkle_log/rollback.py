"""Rollbacks: heads that were copied outside the portal and that this database does not extend.

A database restored to an earlier state passes all internal checks. The copies at
AUDIT_HEAD_COPY show what it lacks, so they are compared before the next head is signed.
"""

from collections.abc import Iterator

from django.db import transaction

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.merkle_log import copies, keys, proofs
from accounts.audit.merkle_log.merkle import verify_consistency
from accounts.audit.merkle_log.signed_notes import Note, NoteRefused
from accounts.audit.models import AuditEvent, SealBatch, SignedHead


def lost_heads() -> list[Note]:
    """Return copied heads whose rows are not all sealed here, in the order of copying.

    Leaves out heads that prove nothing and those of accepted rollbacks. Raises OSError.
    """
    ours = {
        copies.file_name(size, note): note
        for size, note in SignedHead.objects.filter(is_daily=True).values_list("size", "note")
    }
    texts = {note.partition("\n\n")[0] + "\n" for note in ours.values()}
    foreign = [note for note in copies.read(ours) if note.text not in texts]
    if not foreign:
        return []
    accepted, batch = set(_accepted()), SealBatch.objects.order_by("number").last()
    return [
        note
        for note in foreign
        if _name(note) not in accepted and not _is_extended(note, batch) and _proves(note)
    ]


@transaction.atomic
def accept() -> list[Note]:
    """Record the lost heads as accepted, so that the portal signs again. Raises OSError."""
    lost = lost_heads()
    if lost:
        batch = SealBatch.objects.order_by("number").last()
        AuditEvent.record(
            AccountsEvent.AUDIT_ROLLBACK_ACCEPTED,
            credential=("command", ""),
            details={"heads": [_name(note) for note in lost], "sealed": batch.size if batch else 0},
        )
    return lost


def describe(note: Note) -> str:
    """Return the head's size and time for messages."""
    signed = f", signed {note.time:%Y-%m-%d %H:%M} UTC" if note.time else ""
    return f"a head over {note.size} rows{signed}"


def _accepted() -> Iterator[str]:
    events = AuditEvent.objects.filter(action=AccountsEvent.AUDIT_ROLLBACK_ACCEPTED)
    for details in events.values_list("details", flat=True):
        yield from details["heads"]


def _is_extended(note: Note, batch: SealBatch | None) -> bool:
    """True if the tree contains the head's rows."""
    if batch is None or batch.size < note.size:
        return False
    try:
        path = proofs.consistency_proof(note.size, batch.size)
    except proofs.MissingNode:
        return False
    return verify_consistency(note.size, batch.size, note.root, bytes(batch.root), path)


def _name(note: Note) -> str:
    """Return a name of the signed text that does not depend on its signatures."""
    return copies.file_name(note.size, note.text)


def _proves(note: Note) -> bool:
    """False for a head with an invalid signature of a known key, or of a compromised key.

    A head of an unknown key counts, because a rollback also loses the newest keys.
    """
    signers = {(name, key_id) for name, key_id, _ in note.signatures}
    for key in keys.recorded_verifiers():
        if (key.name, key.key_id) in signers:
            try:
                note.verify(key)
            except NoteRefused:
                return False
            return keys.compromise_of(note, key) is None
    return True
