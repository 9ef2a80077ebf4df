"""Signed heads: published, signed states of the Merkle tree over the audit trail and ledger.

Only a process with `AUDIT_KEY_FILE` signs. A head is signed only if the tree extends
the last signed one, so the portal never signs two inconsistent trees.
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
from accounts.audit.merkle_log import copies, keys, proofs, rollback, signed_notes
from accounts.audit.merkle_log.merkle import verify_consistency
from accounts.audit.merkle_log.signed_notes import Verifier
from accounts.audit.models import AuditEvent, SealBatch, SignedHead

log = logging.getLogger(__name__)

#: Interval between daily heads, which are copied outside the portal.
DAILY = timedelta(hours=24)
#: Minimum interval between hourly heads, which are signed only if rows were added.
HOURLY = timedelta(hours=1)
#: Rows that signing itself adds to the tree.
_OWN_ROWS = 1
#: Follows the public host in the log's origin.
_PATH = "/transparency/audit"


class HeadRefused(Exception):
    """No head was signed; the message names the cause and the remedy."""


def origin() -> str:
    """Return the origin line of every head: the host of PUBLIC_URL and a path."""
    return urlsplit(settings.PUBLIC_URL).netloc + _PATH


def private_key() -> Ed25519PrivateKey | None:
    """Return the signing key; None in a process without AUDIT_KEY_FILE."""
    return _read(settings.AUDIT_KEY_FILE) if settings.AUDIT_KEY_FILE else None


@cache
def _read(path: str) -> Ed25519PrivateKey:
    key = load_pem_private_key(Path(path).read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)  # checked when the settings are loaded
    return key


def newest_trusted() -> SignedHead | None:
    """Return the newest head whose key was not compromised when it was signed."""
    heads = SignedHead.objects.trusted().with_compromised()
    return heads.order_by("size", "pk").last()


def newest() -> SignedHead | None:
    """Return the newest head of any key; the next head must extend it too."""
    return SignedHead.objects.with_compromised().order_by("size", "pk").last()


def of_size(size: int) -> SignedHead | None:
    """Return the newest head over `size` rows, preferring keys that were not compromised."""
    heads = SignedHead.objects.filter(size=size).order_by("pk")
    return heads.trusted().last() or heads.last()


def sweep(now: datetime) -> SignedHead | None:
    """Sign a head if one is due. Raises HeadRefused.

    A daily head is due 24 hours after the last one, and immediately for a new key or origin. An
    hourly head, which is not copied, is due after an hour if rows were added.
    """
    key = private_key()
    batch = SealBatch.objects.order_by("number").last()
    if key is None or batch is None:
        return None
    _refuse_compromised(key)
    last, vkey = newest(), Verifier(origin(), key.public_key()).vkey
    daily = SignedHead.objects.filter(is_daily=True).order_by("signed_at").last()
    if last is None or daily is None or now - daily.signed_at >= DAILY:
        return sign()
    if not SignedHead.objects.filter(vkey=vkey).exists():
        return sign()
    has_grown = batch.size - last.size > _OWN_ROWS
    return sign(daily=False) if has_grown and now - last.signed_at >= HOURLY else None


def sign(*, daily: bool = True) -> SignedHead:
    """Sign the tree now, or return the existing head of this key and size.

    A new daily head is copied outside the portal. Raises HeadRefused.
    """
    key = private_key()
    if key is None:
        raise HeadRefused("AUDIT_KEY_FILE is not set here; sign in a process that has the key")
    batch = SealBatch.objects.order_by("number").last()
    if batch is None:
        raise HeadRefused("nothing is sealed yet; is a worker running?")
    _refuse_compromised(key)
    last = newest()
    if last is not None:
        _refuse_replaced(key, last)
        _refuse_inconsistent(batch, last)
    _refuse_rolled_back()
    now = timezone.now()
    note, vkey = signed_notes.sign(origin(), batch.size, bytes(batch.root), now, key)
    with transaction.atomic():
        head, created = SignedHead.objects.get_or_create(
            size=batch.size,
            vkey=vkey,
            defaults={"signed_at": now, "root": batch.root, "note": note, "is_daily": daily},
        )
        if created:
            details = {"size": head.size, "root": head.root_hex, "key": vkey}
            AuditEvent.record(AccountsEvent.AUDIT_HEAD_SIGNED, target=head, details=details)
        if created and daily:
            copies.enqueue(head)
    return head


def _refuse_compromised(key: Ed25519PrivateKey) -> None:
    mark = keys.find_mark(Verifier("", key.public_key()))
    if mark is not None:
        raise HeadRefused(
            f"AUDIT_KEY_FILE holds a key compromised since {mark.since:%Y-%m-%d %H:%M} UTC;"
            " replace it and restart the workers (docs/audit.md)"
        )


def _refuse_replaced(key: Ed25519PrivateKey, last: SignedHead) -> None:
    """Raise HeadRefused if this process still uses a replaced key."""
    public = Verifier("", key.public_key()).public
    if not last.vkey.endswith(public) and SignedHead.objects.filter(vkey__endswith=public).exists():
        raise HeadRefused(
            f"AUDIT_KEY_FILE holds a key that {last.vkey} has replaced; restart this process"
            " with the new key, or create another key"
        )


def _refuse_rolled_back() -> None:
    """Raise HeadRefused if the tree does not extend a copied head: the database was rolled back.

    Unreadable copies do not prevent signing: copying the new head fails there too, and the health
    page shows that.
    """
    try:
        lost = rollback.lost_heads()
    except OSError as error:
        log.error("the copies of heads cannot be compared: %s", error)
        return
    if lost:
        raise HeadRefused(
            f"{settings.AUDIT_HEAD_COPY} has {rollback.describe(lost[-1])}, which this database"
            " does not extend: it was put back to an earlier state. Restore a newer backup; if"
            " there is none, run manage.py sign_audit_head --accept-rollback (docs/audit.md)"
        )


def _refuse_inconsistent(batch: SealBatch, last: SignedHead) -> None:
    """Raise HeadRefused if the tree does not extend the last head: sealed data was altered."""
    if last.size > batch.size:
        raise HeadRefused(
            f"a head over {last.size} rows was signed and {batch.size} are sealed: rows are"
            " missing; run manage.py verify_audit and see docs/audit.md"
        )
    try:
        path = proofs.consistency_proof(last.size, batch.size)
    except proofs.MissingNode as error:
        raise HeadRefused(f"{error}; run manage.py verify_audit and see docs/audit.md") from error
    if not verify_consistency(last.size, batch.size, bytes(last.root), bytes(batch.root), path):
        raise HeadRefused(
            f"the tree does not extend the head over {last.size} rows: sealed data was altered;"
            " run manage.py verify_audit and see docs/audit.md"
        )
