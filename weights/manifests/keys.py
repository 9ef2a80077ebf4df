"""The keys that sign manifests: the private key in a file, the public keys in the database.

Only processes that can read `MANIFEST_KEY_FILE` sign. The first use of a new key records it and
retires the previous one. A retired key never signs again, so processes that still hold it during
a rotation do no harm.
"""

from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import reasons
from accounts.audit.models import AuditEvent
from accounts.users import recent_authentication
from weights.errors import KeyRefused
from weights.event_tags import WeightsEvent
from weights.manifests import openssf
from weights.manifests.models import ManifestKey

ID_LENGTH = 16


def private_key() -> EllipticCurvePrivateKey | None:
    """The key that this process signs with; None if it does not sign."""
    return _read(settings.MANIFEST_KEY_FILE) if settings.MANIFEST_KEY_FILE else None


@cache
def _read(path: str) -> EllipticCurvePrivateKey:
    key = load_pem_private_key(Path(path).read_bytes(), password=None)
    assert isinstance(key, EllipticCurvePrivateKey)  # the settings' validation requires it
    return key


def key_record(key: EllipticCurvePrivateKey) -> ManifestKey:
    """Returns the key's row; the first use of a key creates it and retires the previous key."""
    fingerprint = openssf.fingerprint(key.public_key())
    record = ManifestKey.objects.filter(fingerprint=fingerprint).first()
    return record or _introduce(key, fingerprint)


@transaction.atomic
def _introduce(key: EllipticCurvePrivateKey, fingerprint: str) -> ManifestKey:
    fields = {"fingerprint": fingerprint, "public_pem": openssf.public_pem(key.public_key())}
    record, created = ManifestKey.objects.get_or_create(
        key_id=fingerprint[:ID_LENGTH], defaults=fields
    )
    if created:
        AuditEvent.record(
            WeightsEvent.MANIFEST_KEY_INTRODUCED,
            target=record,
            details={"key": record.key_id, "fingerprint": fingerprint},
        )
        for before in ManifestKey.objects.filter(retired_at=None).exclude(pk=record.pk):
            _retire(before, f"replaced by {record.key_id}")
    return record


@transaction.atomic
def retire(
    key_id: str, reason: str, *, compromised: bool, since: datetime | None = None
) -> ManifestKey:
    """Retires a key; with `compromised`, its signatures are no longer trusted either.

    `since` is the start of the compromise, if known: signatures that others stored before it
    stay valid. Repeating a call changes nothing. A later call may mark a retired key as
    compromised, or move the start of a compromise to an earlier time. Raises KeyRefused, and
    RecentAuthenticationRequired in a request whose sign-in is too old.
    """
    recent_authentication.require()
    reason = reasons.checked(reason, "it is public", ask="enter a reason of", error=KeyRefused)
    key = ManifestKey.objects.select_for_update().filter(key_id=key_id).first()
    if key is None:
        existing = ", ".join(ManifestKey.objects.values_list("key_id", flat=True))
        raise KeyRefused(
            f"there is no manifest key {key_id!r}; the keys are: {existing or 'none yet'}"
        )
    if since is not None and (not compromised or since > timezone.now()):
        raise KeyRefused("--since needs --compromised, and must not be in the future")
    if compromised and (key.compromised_at is None or _is_earlier(since, key)):
        _mark_compromised(key, reason, since)
    elif key.retired_at is None:
        _retire(key, reason)
    return key


def _is_earlier(since: datetime | None, key: ManifestKey) -> bool:
    recorded = key.compromised_from
    return recorded is not None and (since is None or since < recorded)


def _retire(key: ManifestKey, reason: str) -> None:
    key.retired_at, key.reason = timezone.now(), reason
    key.save(update_fields=["retired_at", "reason"])
    _record(WeightsEvent.MANIFEST_KEY_RETIRED, key, {})


def _mark_compromised(key: ManifestKey, reason: str, since: datetime | None) -> None:
    now = timezone.now()
    key.retired_at, key.compromised_at = key.retired_at or now, key.compromised_at or now
    key.compromised_from, key.reason = since, reason
    fields = ["retired_at", "compromised_at", "compromised_from", "reason"]
    key.save(update_fields=fields)
    _record(
        WeightsEvent.MANIFEST_KEY_COMPROMISED,
        key,
        {"since": since.isoformat() if since else "its first use"},
    )


def _record(action: WeightsEvent, key: ManifestKey, more: dict[str, str]) -> None:
    details = {"key": key.key_id, "reason": key.reason, **more}
    AuditEvent.record(action, target=key, credential=("command", ""), details=details)
