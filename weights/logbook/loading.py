"""Loads the shipped entries and curves into the database, once."""

from datetime import date
from typing import Any

from django.db import transaction

from accounts.audit.models import AuditEvent
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.opt_family import entries
from weights.event_tags import WeightsEvent
from weights.logbook.models import LogbookEntry, LogbookRecord, LogbookSeries

#: Recorded in the event, so that a later release can add its own entries and no others.
SEED_VERSION = 1
_ORG, _FAMILY = "facebook", "opt"


@transaction.atomic
def load() -> bool:
    """Adds the shipped entries and curves, once. Returns False if they were added before.

    Later changes and deletions therefore last. Entries about a checkpoint or family that this
    install lacks are skipped.
    """
    if AuditEvent.objects.filter(action=WeightsEvent.LOGBOOK_LOADED).exists():
        return False
    family = Family.objects.filter(slug=_FAMILY).first()
    sizes = {size.name: size for size in Checkpoint.objects.filter(org=_ORG, family=family)}
    records: list[tuple[LogbookRecord, str | None]] = [
        *((_entry(event), event["checkpoint"]) for event in entries.events()),
        *((_series(series), series["checkpoint"]) for series in entries.series()),
    ]
    for record, name in records:
        record.checkpoint = sizes.get(name) if name else None
        record.family = None if name else family
        if record.subject is not None:
            record.changed_at = record.created_at
            record.full_clean()
            record.save()
    AuditEvent.record(WeightsEvent.LOGBOOK_LOADED, details={"seed": SEED_VERSION})
    return True


def _entry(event: dict[str, Any]) -> LogbookEntry:
    return LogbookEntry(
        date=date.fromisoformat(event["first_day"]),
        shown_date=event.get("shown_date", ""),
        cause=event["cause"],
        title=event["title"],
        text=event["event"],
        **_citation(event),
    )


def _series(series: dict[str, Any]) -> LogbookSeries:
    fields = {name: series[name] for name in ("title", "axis", "unit", "points")}
    return LogbookSeries(**fields, **_citation(series))


def _citation(row: dict[str, Any]) -> dict[str, str]:
    return {"source": row["citation"], "source_url": row["url"]}
