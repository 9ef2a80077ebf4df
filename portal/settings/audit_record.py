"""What a process was started with, in the trail: an event where it is not what it was before.

Settings come from the environment, which nobody is asked for when it changes. Secrets are told
by a fingerprint, people's addresses too; the trail itself remembers what was told last.
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
from accounts.background.outages import in_a_line
from portal.settings import environment

log = logging.getLogger(__name__)

ACTION = "settings.changed"
#: Seconds after which a database that was away is asked again.
PAUSE = 10.0
#: Any number that no other lock of ours has.
_LOCK = 7_262_026

#: Told as they are: who is let in and how, where bytes lie and leave, what is kept and checked.
PLAIN = (
    *("PUBLIC_URL", "ALLOWED_HOSTS", "ADMIN_PATH", "DEBUG", "TRUSTED_PROXIES"),
    *("ACCEL_LOCATION", "S3_CHECKSUMS", "CDN_KEY_ID", "FILE_LINK_LIFETIME_MOST"),
    *("SCRUB_DAYS", "SCRUB_BYTES_PER_SECOND", "SCRUB_AT_ONCE", "SURVEY_HOURS", "PICKLE_IMPORTS"),
    *("AUDIT_HEAD_COPY", "MAIL_LEAVES", "ANSWER_DAYS", "ANSWER_ALARM_DAYS"),
    *("RETURN_SILENCE_DAYS", "DRAFT_SILENCE_DAYS", "DRAFT_FORM_DAYS", "OPEN_DRAFTS"),
    *("SUBMISSIONS_A_DAY", "LOOK_AT_PROFILES", "SOCIAL_ORIGINS"),
)
#: Told without a name and password that may stand in them.
ADDRESSES = ("WEIGHTS_STORAGE", "S3_ENDPOINT_URL", "S3_PUBLIC_ENDPOINT_URL", "CDN_URL")
#: Told by fingerprint: secrets, and addresses of people.
HIDDEN = ("SECRET_KEY", "SECURITY_CONTACT", "AUDIT_HEAD_RECIPIENTS", "DEFAULT_FROM_EMAIL")
#: Files with a private key, told by a fingerprint of what stands in them.
KEY_FILES = ("MANIFEST_KEY_FILE", "AUDIT_KEY_FILE", "CDN_KEY_FILE")


def effective() -> dict[str, Any]:
    """The settings in force that security rests on, fit for the trail."""
    told = {name: getattr(settings, name) for name in PLAIN}
    told |= {name: _address(getattr(settings, name) or "") for name in ADDRESSES}
    told |= {name: fingerprint(getattr(settings, name)) for name in HIDDEN}
    told |= {name: _file(getattr(settings, name)) for name in KEY_FILES}
    told["LINK_KEYS"] = {name: fingerprint(key.hex()) for name, key in settings.LINK_KEYS.items()}
    told["AWS_ACCESS_KEY_ID"] = fingerprint(environment.text("AWS_ACCESS_KEY_ID", ""))
    told["RATE_LIMITS"] = "portal.middleware.rate_limits.RateLimitMiddleware" in settings.MIDDLEWARE
    told["DATABASE"] = _database(settings.DATABASES["default"])
    return told


def fingerprint(value: Any) -> str:
    """What tells two values apart and shows neither; empty for none."""
    if not value:
        return ""
    return hashlib.sha256(f"weighbridge setting\n{value}".encode()).hexdigest()[:16]


def _file(name: str) -> str:
    try:
        return fingerprint(Path(name).read_bytes().hex()) if name else ""
    except OSError:
        return "cannot be read"


def _address(address: str) -> str:
    """Without whatever stands before the host's `@`."""
    where = urlsplit(address)
    return where._replace(netloc=where.netloc.rpartition("@")[2]).geturl()


def _database(found: Mapping[str, Any]) -> str:
    kind = str(found["ENGINE"]).rpartition(".")[2]
    place = [str(found.get(part) or "") for part in ("HOST", "PORT")]
    return " ".join(part for part in (kind, *place, str(found["NAME"])) if part)


@transaction.atomic
def note(process: str) -> AuditEvent | None:
    """Record what this kind of process runs with; None where it ran with the same before.

    Of two that start at once one records it.
    """
    _alone()
    told = effective()
    known = AuditEvent.objects.filter(action=ACTION, details__process=process)
    last = known.order_by("-pk").values_list("details", flat=True).first()
    before = last["settings"] if last else {}
    changed = {
        name: {"before": before.get(name), "after": told.get(name)}
        for name in sorted(told.keys() | before.keys())
        if before.get(name) != told.get(name)
    }
    if not changed:
        return None
    details = {"process": process, "settings": told, "changed": changed if last else {}}
    return AuditEvent.record(ACTION, details=details)


def _alone() -> None:
    """Wait for whoever compares too; a transaction of SQLite's keeps others out by itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def note_at_start(process: str) -> threading.Thread:
    """Record it beside the start, which waits for no database."""
    noting = threading.Thread(target=_until_noted, args=[process], daemon=True)
    noting.start()
    return noting


def _until_noted(process: str) -> None:
    while True:
        try:
            note(process)
        except (DatabaseError, InterfaceError) as error:
            log.error("the settings are not on record yet: %s", in_a_line(error))
        else:
            return
        finally:
            connections.close_all()
        time.sleep(PAUSE)


@worker_ready.connect
def _worker_is_ready(**kwargs: Any) -> None:
    note_at_start("worker")
