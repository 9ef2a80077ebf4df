"""Compare this machine's clock with the store's: S3 refuses signatures if they differ."""

from weights.errors import ClockSkewed, WeightsError
from weights.storage import blob_storage

#: Seconds of difference that need no action; signed URLs may be valid for only a minute.
TOLERATED = 60


def check() -> tuple[str, str]:
    """Ask the store for its time. Returns `ok`, `late` or `alarm`, and a sentence."""
    storage = blob_storage()
    if storage.is_local:
        return "ok", "not compared: the store is a folder"
    try:
        off = abs(round(storage.probe().total_seconds()))
    except ClockSkewed as error:
        return "alarm", str(error)
    except WeightsError as error:
        return "late", f"unknown: {error}"[:300]
    if off <= TOLERATED:
        return "ok", f"within {off} s of the store's"
    return "late", f"{off} s off the store's; correct it: timedatectl set-ntp true"
