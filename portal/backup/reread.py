"""Read some of a backup's blobs again at each backup, so that bit rot is found before a drill.

Each run continues after the last one, so every blob is read in turn. A damaged blob is replaced by
the portal's copy if that is good. The Heartbeat `backup` has the results, for the health page.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.background.models import Heartbeat
from weights.storage import BlobStorage, migration
from weights.storage.migration import BlobToCopy

HEARTBEAT = "backup"
#: Bytes that a run reads by default.
MOST = 100 * 10**9
#: Maximum names of replaced blobs stored for the health page.
_NAMES = 20
#: A backup is made each day; damage that was repaired is shown for a month.
LATE, SHOWN = timedelta(days=2), timedelta(days=30)


@dataclass
class Reread:
    """The result of one run: `damaged` have no good copy, `replaced` had one."""

    blobs: int = 0
    bytes: int = 0
    last: str = ""
    #: True if the run read the last blob.
    is_round_complete: bool = False
    replaced: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    sound: set[str] = field(default_factory=set)


def run(
    blobs: Sequence[BlobToCopy],
    source: BlobStorage,
    target: BlobStorage,
    most: int,
    progress: Callable[[int], None],
) -> Reread:
    """Read up to `most` bytes of the target's blobs: at least one blob, unless `most` is 0."""
    done = Reread(last=_details().get("last", ""))
    ordered = sorted(blobs)
    begin = next((n for n, each in enumerate(ordered) if each.sha256 > done.last), len(ordered))
    for number in chain(range(begin, len(ordered)), range(begin)) if most else ():
        blob = ordered[number]
        if done.blobs and done.bytes + blob.size > most:
            break
        report = migration.copy_listed([blob], source, target, progress)
        done.blobs, done.bytes, done.last = done.blobs + 1, done.bytes + blob.size, blob.sha256
        done.is_round_complete |= number == len(ordered) - 1
        done.damaged |= dict(report.failures)
        if report.replaced:
            done.replaced.append(blob.sha256)
        if not report.failures:
            done.sound.add(blob.sha256)
    return done


def note(folder: Path, done: Reread) -> None:
    """Store when a backup into `folder` ended and what it read, except with READ_ONLY."""
    if settings.READ_ONLY:
        return
    before, now = _details(), timezone.now().isoformat()
    damaged = {**before.get("damaged", {}), **done.damaged}
    replaced = {**before.get("replaced", {}), **dict.fromkeys(done.replaced, now)}
    details = {
        "folder": str(folder),
        "last": done.last,
        "whole": now if done.is_round_complete else before.get("whole", ""),
        "damaged": {sha: why for sha, why in damaged.items() if sha not in done.sound},
        "replaced": dict(sorted(replaced.items(), key=lambda each: each[1])[-_NAMES:]),
    }
    Heartbeat.objects.write(HEARTBEAT, details)


def _details() -> dict[str, Any]:
    beat = Heartbeat.objects.filter(name=HEARTBEAT).first()
    return dict(beat.details) if beat else {}
