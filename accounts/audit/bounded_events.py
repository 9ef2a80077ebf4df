"""Events that strangers can cause at will: written up to a bound, and counted beyond it.

A scan or a guessing game must not fill the disk with a trail that nobody can empty. So each
kind has a bound; whoever passes it is counted, and the next event that is written says how
many were not.
"""

from typing import Any

from django.db import models

from accounts.audit.event_tags import EventTag
from accounts.audit.models import AuditEvent
from accounts.rate_limits import buckets, tallies
from accounts.rate_limits.buckets import Limit

#: Of one account, and of all names that are nobody's together.
FAILED_SIGN_INS = Limit("row-sign-in", 20, 3600)
FAILED_SIGN_INS_OF_NOBODY = Limit("row-sign-in-nobody", 120, 3600)
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
    """Write the event, or count it where too many of its kind came lately."""
    name = f"{limit.name}:{key}"
    if not buckets.take(limit, key).allowed:
        tallies.add(name, "unwritten")
        return
    AuditEvent.record(
        action, target=target, result=result, details={**(details or {}), **tallies.drain(name)}
    )
