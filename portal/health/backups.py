"""The last backup, and damage found by reading blobs again."""

from datetime import datetime

from accounts.background.models import Heartbeat
from portal.backup.reread import LATE, SHOWN


def check(beat: Heartbeat | None, now: datetime) -> tuple[str, str]:
    """`ok`, `late` or `alarm`, and a sentence, from the Heartbeat of backups."""
    if beat is None:
        return "ok", "none was made by manage.py backup"
    details = beat.details
    hours = round((now - beat.at).total_seconds() / 3600)
    text = f"the last one {hours} hours ago"
    if whole := details.get("whole"):
        days = (now - datetime.fromisoformat(whole)).days
        text += f"; the last blob of a round of readings was read {days} days ago"
    if damaged := details.get("damaged"):
        first, why = next(iter(damaged.items()))
        return "alarm", (
            f"{len(damaged)} blobs of {details['folder']} are damaged, and no good copy replaces"
            f" them: {first} ({why})"
        )
    replaced = [
        sha
        for sha, at in details.get("replaced", {}).items()
        if now - datetime.fromisoformat(at) < SHOWN
    ]
    if replaced:
        return "late", (
            f"{len(replaced)} blobs of {details['folder']} were damaged and have been replaced,"
            f" such as {replaced[-1]}: check that disk; {text}"
        )
    return "late" if now - beat.at > LATE else "ok", text
