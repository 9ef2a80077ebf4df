"""Rate-limited audit events, for actions that anonymous callers can repeat at will.

The trail is append-only, so a scan must not be able to fill the disk. Events over a limit are only
counted, and the next event written records the count.
"""

from typing import Any

from django.db import models

from accounts.audit.event_tags import EventTag
from accounts.audit.models import AuditEvent
from accounts.rate_limits import buckets, tallies
from accounts.rate_limits.buckets import Limit

#: For each account, and for all unknown usernames together.
FAILED_SIGN_INS = Limit("row-sign-in", 20, 3600)
FAILED_SIGN_INS_UNKNOWN = Limit("row-sign-in-nobody", 120, 3600)
FAILED_CODES = Limit("row-code", 20, 3600)


def record(
    limit: Limit,
    key: str,
    action: EventTag,
    *,
    target: models.Model | None = None,
    details: dict[str, Any] | None = None,
    result: str = "failed",
) -> None:
    """Write the event, or count it if `limit` is exceeded for `key`."""
    tally = f"{limit.name}:{key}"
    if not buckets.take(limit, key).allowed:
        tallies.add(tally, "unwritten")
        return
    AuditEvent.record(
        action, target=target, result=result, details={**(details or {}), **tallies.drain(tally)}
    )
