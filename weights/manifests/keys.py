"""The keys that sign manifests: the private one in a file, the public ones in the database.

Only a process that can read `MANIFEST_KEY_FILE` signs. The first use of a new key puts it on
record and retires the one before; a retired key never signs again, so that processes which
still hold it during a change do no harm.
"""

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import AuditEvent
from weights.errors import KeyRefused
from weights.manifests import openssf
from weights.models import ManifestKey

ID_LENGTH = 16
REASON_LENGTH = 500


def private_key() -> EllipticCurvePrivateKey | None:
    """The key that this process signs with; None where another process is the signer."""
    return _read(settings.MANIFEST_KEY_FILE) if settings.MANIFEST_KEY_FILE else None


@cache
def _read(path: str) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(Path(path).read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)  # the settings have looked at it
    return key


def on_record(key: EllipticCurvePrivateKey) -> ManifestKey:
    """The record of a key; the first time it is made, and the key before it is retired."""
    fingerprint = openssf.fingerprint(key.public_key())
    known = ManifestKey.objects.filter(fingerprint=fingerprint).first()
    return known or _introduce(key, fingerprint)


@transaction.atomic
def _introduce(key: EllipticCurvePrivateKey, fingerprint: str) -> ManifestKey:
    facts = {"fingerprint": fingerprint, "public_pem": openssf.public_pem(key.public_key())}
    record, new = ManifestKey.objects.get_or_create(key_id=fingerprint[:ID_LENGTH], defaults=facts)
    if new:
        AuditEvent.record(
            "manifest_key.introduced",
            target=record,
            details={"key": record.key_id, "fingerprint": fingerprint},
        )
        for before in ManifestKey.objects.filter(retired_at=None).exclude(pk=record.pk):
            _retire(before, f"replaced by {record.key_id}", compromised=False)
    return record


@transaction.atomic
def retire(key_id: str, reason: str, *, compromised: bool) -> ManifestKey:
    """Let a key sign no more; a compromised one is trusted with nothing from now on.

    Asked again it changes nothing; only a retired key may still become a compromised one.
    Raises KeyRefused.
    """
    reason = reason.strip()
    if not 5 <= len(reason) <= REASON_LENGTH:
        raise KeyRefused(f"say why in 5 to {REASON_LENGTH} characters; everybody reads it")
    key = ManifestKey.objects.select_for_update().filter(key_id=key_id).first()
    if key is None:
        known = ", ".join(ManifestKey.objects.values_list("key_id", flat=True))
        raise KeyRefused(f"there is no manifest key {key_id!r}; there are: {known or 'none yet'}")
    if key.retired_at is None or (compromised and key.compromised_at is None):
        _retire(key, reason, compromised=compromised)
    return key


def _retire(key: ManifestKey, reason: str, *, compromised: bool) -> None:
    now = timezone.now()
    key.retired_at = key.retired_at or now
    key.compromised_at = now if compromised else None
    key.reason = reason
    key.save(update_fields=["retired_at", "compromised_at", "reason"])
    AuditEvent.record(
        "manifest_key.compromised" if compromised else "manifest_key.retired",
        target=key,
        credential=("command", ""),
        details={"key": key.key_id, "reason": reason},
    )
