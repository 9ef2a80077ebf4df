"""Check that this process can write to the database, render pages and reach the store.

The result is cached for a second, so that many requests cost one check. The response says which
part is not ready; the log says why.
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from threading import Lock

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from whitenoise.storage import CompressedManifestStaticFilesStorage

from accounts.background.models import Heartbeat
from accounts.background.outages import outage_message
from portal.server.stylesheets import ENTRY_POINTS
from weights.errors import WeightsError
from weights.storage import blob_storage

log = logging.getLogger(__name__)

#: Seconds for which a result is valid.
CACHED = 1.0
#: Seconds within which the database must write and the store must answer.
PATIENCE = 2.0
_HEARTBEAT = "readiness"

_lock = Lock()
_result: tuple[float, list[str]] | None = None
#: One thread, so that a store that hangs blocks only one.
_store_thread = ThreadPoolExecutor(1, "readiness")


def unready() -> list[str]:
    """The parts that are not ready: `database`, `static files`, `store`; empty if all are."""
    global _result
    with _lock:
        if _result is None or time.monotonic() - _result[0] > CACHED:
            found = [name for name, check in _CHECKS.items() if _fails(name, check)]
            _result = time.monotonic(), found
        return _result[1]


def _fails(name: str, check: Callable[[], str]) -> bool:
    reason = check()
    if reason:
        log.error("not ready: %s: %s", name, reason)
    return bool(reason)


def _database() -> str:
    """Commit a row, since reads work on a full disk or a standby. Only read if READ_ONLY."""
    try:
        if settings.READ_ONLY:
            Heartbeat.objects.exists()
            return ""
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL statement_timeout = {int(PATIENCE * 1000)}")
            Heartbeat.objects.update_or_create(name=_HEARTBEAT, defaults={"at": timezone.now()})
    except DatabaseError as error:
        return outage_message(error)
    return ""


def _static_files() -> str:
    """Check that the manifest loaded by this process has the stylesheets of every page."""
    if not isinstance(staticfiles_storage, CompressedManifestStaticFilesStorage):
        return ""  # files keep their names
    if missing := [name for name in ENTRY_POINTS if name not in staticfiles_storage.hashed_files]:
        return f"no {', '.join(missing)} is collected; run manage.py collectstatic, and restart"
    return ""


def _store() -> str:
    waiting = _store_thread.submit(blob_storage().probe)
    try:
        waiting.result(PATIENCE)
    except NotInTime:
        waiting.cancel()
        return f"the store did not answer within {PATIENCE:g} s"
    except WeightsError as error:
        return str(error)
    return ""


_CHECKS = {"database": _database, "static files": _static_files, "store": _store}
