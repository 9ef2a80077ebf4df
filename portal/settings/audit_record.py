"""Record changed settings in the audit trail when a process starts.

The environment can change without a login or an approval. Secrets and people's addresses are
recorded as fingerprints. Each start compares the settings with the last event.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery.signals import worker_ready
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, connections, transaction

from accounts.audit.models import AuditEvent
from accounts.background.outages import outage_message
from portal.audit.event_tags import PortalEvent
from portal.settings import environment

log = logging.getLogger(__name__)

ACTION = PortalEvent.SETTINGS_CHANGED
#: Seconds between two attempts while the database is unavailable.
PAUSE = 10.0
#: The key of PostgreSQL's advisory lock; no other lock of the portal uses it.
_LOCK_KEY = 7_262_026

#: Recorded in plain text: access, storage and delivery, retention and checks.
PLAIN = (
    *("PUBLIC_URL", "ALLOWED_HOSTS", "ADMIN_PATH", "DEBUG", "TRUSTED_PROXIES"),
    "SINGLE_OPERATOR",
    *("ACCEL_LOCATION", "S3_CHECKSUMS", "CDN_KEY_ID", "FILE_LINK_LIFETIME_MOST"),
    *("UPLOAD_QUOTA", "METRICS_ADDRESS"),
    *("SCRUB_DAYS", "SCRUB_BYTES_PER_SECOND", "SCRUB_AT_ONCE", "SURVEY_HOURS", "PICKLE_IMPORTS"),
    *("AUDIT_HEAD_COPY", "MAIL_LEAVES", "ANSWER_DAYS", "ANSWER_ALARM_DAYS"),
    *("RETURN_SILENCE_DAYS", "DRAFT_SILENCE_DAYS", "DRAFT_FORM_DAYS", "OPEN_DRAFTS"),
    *("SUBMISSIONS_A_DAY", "LOOK_AT_PROFILES", "SOCIAL_ORIGINS"),
    *("DECISION_UNDO_SECONDS", "APPEAL_WITHIN_DAYS", "APPEAL_ANSWER_DAYS"),
    *("SECURE_HSTS_SECONDS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"),
)
#: Recorded without user name and password.
ADDRESSES = ("WEIGHTS_STORAGE", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "CDN_URL")
#: Recorded as fingerprints: secrets, and addresses of people.
HIDDEN = (
    *("SECRET_KEY", "SECURITY_CONTACT", "AUDIT_HEAD_RECIPIENTS", "DEFAULT_FROM_EMAIL"),
    "METRICS_TOKEN",
)
#: Files of private keys, recorded as fingerprints of their content.
KEY_FILES = ("MANIFEST_KEY_FILE", "AUDIT_KEY_FILE", "CDN_KEY_FILE")


def effective() -> dict[str, Any]:
    """The security-relevant settings in force, without secrets."""
    values = {name: getattr(settings, name) for name in PLAIN}
    values |= {name: _address(getattr(settings, name) or "") for name in ADDRESSES}
    values |= {name: fingerprint(getattr(settings, name)) for name in HIDDEN}
    values |= {name: _file(getattr(settings, name)) for name in KEY_FILES}
    for name in ("LINK_KEYS", "ENCRYPTION_KEYS"):
        ring: dict[str, bytes] = getattr(settings, name)
        values[name] = {key_id: fingerprint(key.hex()) for key_id, key in ring.items()}
    values["AWS_ACCESS_KEY_ID"] = fingerprint(environment.text("AWS_ACCESS_KEY_ID", ""))
    values["RATE_LIMITS"] = (
        "portal.middleware.rate_limits.RateLimitMiddleware" in settings.MIDDLEWARE
    )
    values["DATABASE"] = _database(settings.DATABASES["default"])
    return values


def fingerprint(value: Any) -> str:
    """16 hexadecimal digits of a hash that reveals no secret; empty for an empty value."""
    if not value:
        return ""
    return hashlib.sha256(f"weighbridge setting\n{value}".encode()).hexdigest()[:16]


def _file(name: str) -> str:
    try:
        return fingerprint(Path(name).read_bytes().hex()) if name else ""
    except OSError:
        return "cannot be read"


def _address(address: str) -> str:
    """The URL without the credentials before `@`."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _database(database: Mapping[str, Any]) -> str:
    engine = str(database["ENGINE"]).rpartition(".")[2]
    server = [str(database.get(part) or "") for part in ("HOST", "PORT")]
    return " ".join(part for part in (engine, *server, str(database["NAME"])) if part)


@transaction.atomic
def note(process: str) -> AuditEvent | None:
    """Record the settings of this kind of process if they differ from its last start.

    If two processes start at once, only one records them. Returns the event, if any.
    """
    _lock()
    current = effective()
    events = AuditEvent.objects.filter(action=ACTION, details__process=process)
    last = events.order_by("-pk").values_list("details", flat=True).first()
    before = last["settings"] if last else {}
    changed = {
        name: {"before": before.get(name), "after": current.get(name)}
        for name in sorted(current.keys() | before.keys())
        if before.get(name) != current.get(name)
    }
    if not changed:
        return None
    details = {"process": process, "settings": current, "changed": changed if last else {}}
    return AuditEvent.record(ACTION, details=details)


def _lock() -> None:
    """Serialise concurrent starts; on SQLite the transaction is exclusive already."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK_KEY])


def note_at_start(process: str) -> threading.Thread:
    """Record the settings in a thread, so that the start does not wait for the database.

    With READ_ONLY, the next start without it records them.
    """
    thread = threading.Thread(target=_note_with_retries, args=[process], daemon=True)
    thread.start()
    return thread


def _note_with_retries(process: str) -> None:
    while not settings.READ_ONLY:
        try:
            note(process)
        except (DatabaseError, InterfaceError) as error:
            log.error("the settings have not been recorded yet: %s", outage_message(error))
        else:
            return
        finally:
            connections.close_all()
        time.sleep(PAUSE)


@worker_ready.connect
def _worker_is_ready(**kwargs: Any) -> None:
    note_at_start("worker")
