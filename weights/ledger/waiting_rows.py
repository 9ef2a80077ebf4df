"""Ledger rows that wait in Redis while the portal is in read-only mode.

Downloads continue in that mode, but only if recorded: if Redis does not accept the row, the
download is refused. A worker moves the rows to the database once it may write again.
"""

import json
from collections.abc import Collection

from django.db import transaction
from django.utils.dateparse import parse_datetime

from accounts.background.outages import ReadOnly
from accounts.rate_limits import tallies
from accounts.rate_limits.redis_connection import RedisUnavailable
from weights.ledger.models import Download

_TALLY = "ledger-rows"
_FIELDS = [field.attname for field in Download._meta.concrete_fields if not field.primary_key]


def put(row: Download) -> None:
    """Store an unsaved row in Redis. Raises ReadOnly if Redis does not answer."""
    fields = {name: getattr(row, name) for name in _FIELDS}
    try:
        tallies.add_or_fail(_TALLY, json.dumps(fields, default=str))
    except RedisUnavailable as error:
        raise ReadOnly("the download cannot be recorded: Redis does not answer") from error


def store() -> None:
    """Move the waiting rows into the ledger, each once, with the time of its response.

    Only committed rows are removed from Redis, so a killed worker loses none; rows added meanwhile
    wait for the next sweep.
    """
    if rows := tallies.read(_TALLY):
        _insert(rows)
        tallies.remove(_TALLY, rows)


@transaction.atomic
def _insert(rows: Collection[str]) -> None:
    for text in sorted(rows):  # by time, their first field
        fields = json.loads(text)
        fields["at"] = parse_datetime(fields["at"])
        # They may remain from a worker that was killed after its commit.
        same = {name: fields[name] for name in ("checkpoint_id", "at", "request_id", "path")}
        if not Download.objects.filter(**same).exists():
            Download.objects.create(**fields)
