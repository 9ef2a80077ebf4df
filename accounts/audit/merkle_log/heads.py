"""The head of the tree, signed: what is said in public about trail and ledger.

A process that can read `AUDIT_KEY_FILE` signs, and nobody else. A head is signed only where
the tree goes on from the last one, so that this portal never says two things that do not fit.
"""

import logging
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.audit.event_tags import AccountsEvent
from accounts.audit.merkle_log import copies, keys, notes, proofs
from accounts.audit.merkle_log.merkle import consistent
from accounts.audit.merkle_log.notes import Verifier
from accounts.audit.models import AuditEvent, SealBatch, SignedHead

log = logging.getLogger(__name__)

#: How often a head is due that is sent to its second place.
EVERY = timedelta(hours=24)
#: How often one is due between these where rows came: nobody waits longer for a proof.
FRESH = timedelta(hours=1)
#: Rows by which signing itself makes the tree grow.
_OWN_ROWS = 1
#: Below the public address; with the host it names the log (its origin).
_PATH = "/transparency/audit"


class HeadRefused(Exception):
    """Nothing was signed; the sentence says why and what to do."""


def origin() -> str:
    """The name of this log in every head: the public address without its scheme."""
    return urlsplit(settings.PUBLIC_URL).netloc + _PATH


def private_key() -> Ed25519PrivateKey | None:
    """The key that this process signs with; None where another process is the signer."""
    return _read(settings.AUDIT_KEY_FILE) if settings.AUDIT_KEY_FILE else None


@cache
def _read(path: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(Path(path).read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)  # the settings have looked at it
    return key


def newest() -> SignedHead | None:
    """The newest head that proves something: by no key that others may have had by then."""
    return SignedHead.objects.trusted().with_doubts().order_by("size", "pk").last()


def of_size(size: int) -> SignedHead | None:
    """The head over so many rows; of several keys' the newest, one in doubt last of all."""
    heads = SignedHead.objects.filter(size=size).order_by("pk")
    return heads.trusted().last() or heads.last()


def last_said() -> SignedHead | None:
    """What was said last, by whatever key: the next head must fit it too."""
    return SignedHead.objects.with_doubts().order_by("size", "pk").last()


def sweep(now: datetime) -> SignedHead | None:
    """Sign where the last head is a day old, or a key or a name is new. Raises HeadRefused.

    Where it is an hour old and rows have come since, another one is signed, and kept here alone.
    """
    key = private_key()
    batch = SealBatch.objects.order_by("number").last()
    if key is None or batch is None:
        return None
    _is_ours_alone(key)
    last, vkey = last_said(), Verifier(origin(), key.public_key()).vkey
    daily = SignedHead.objects.filter(is_daily=True).order_by("signed_at").last()
    if last is None or daily is None or now - daily.signed_at >= EVERY:
        return sign()
    if not SignedHead.objects.filter(vkey=vkey).exists():
        return sign()
    grown = batch.size - last.size > _OWN_ROWS
    return sign(daily=False) if grown and now - last.signed_at >= FRESH else None


def sign(*, daily: bool = True) -> SignedHead:
    """Sign the tree as it is now; the head there is, where its size was signed already.

    A daily one is sent to its second place. Raises HeadRefused.
    """
    key = private_key()
    if key is None:
        raise HeadRefused("AUDIT_KEY_FILE is not set here; ask a worker that has the key")
    batch = SealBatch.objects.order_by("number").last()
    if batch is None:
        raise HeadRefused("nothing is sealed yet; is a worker running?")
    _is_ours_alone(key)
    last = last_said()
    if last is not None:
        _is_in_use(key, last)
        _goes_on(batch, last)
    now = timezone.now()
    note, vkey = notes.write(origin(), batch.size, bytes(batch.root), now, key)
    with transaction.atomic():
        head, new = SignedHead.objects.get_or_create(
            size=batch.size,
            vkey=vkey,
            defaults={"signed_at": now, "root": batch.root, "note": note, "is_daily": daily},
        )
        if new:
            details = {"size": head.size, "root": bytes(head.root).hex(), "key": vkey}
            AuditEvent.record(AccountsEvent.AUDIT_HEAD_SIGNED, target=head, details=details)
        if new and daily:
            copies.ask(head)
    return head


def _is_ours_alone(key: Ed25519PrivateKey) -> None:
    mark = keys.mark_of(Verifier("", key.public_key()))
    if mark is not None:
        raise HeadRefused(
            f"AUDIT_KEY_FILE holds a key that is compromised since {mark.since:%Y-%m-%d %H:%M} UTC;"
            " put a new one in its place and restart the workers (docs/audit.md)"
        )


def _is_in_use(key: Ed25519PrivateKey, last: SignedHead) -> None:
    """Refuse a key that another one has replaced: a process that still holds it is to restart."""
    ours = Verifier("", key.public_key()).public
    if not last.vkey.endswith(ours) and SignedHead.objects.filter(vkey__endswith=ours).exists():
        raise HeadRefused(
            f"AUDIT_KEY_FILE holds a key that {last.vkey} has replaced; restart this process"
            " with the new key, or make another new one"
        )


def _goes_on(batch: SealBatch, last: SignedHead) -> None:
    """Refuse a tree in which the last head's is not: somebody has changed what was sealed."""
    if last.size > batch.size:
        raise HeadRefused(
            f"a head over {last.size} rows was signed and {batch.size} are sealed: rows are"
            " missing; run manage.py verify_audit and see docs/audit.md"
        )
    try:
        path = proofs.consistency(last.size, batch.size)
    except proofs.NotSealed as error:
        raise HeadRefused(f"{error}; run manage.py verify_audit and see docs/audit.md") from error
    if not consistent(last.size, batch.size, bytes(last.root), bytes(batch.root), path):
        raise HeadRefused(
            f"the tree does not go on from the head over {last.size} rows: what was sealed has"
            " changed; run manage.py verify_audit and see docs/audit.md"
        )
