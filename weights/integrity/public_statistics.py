"""Public statistics of checks and quarantines.

They count only bytes of public checkpoints, so small numbers reveal nothing private and need no
suppression.
"""

from datetime import UTC, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q, Sum
from django.db.models.functions import TruncDate, TruncMonth
from django.utils import timezone

from weights.catalogue.models import Checkpoint
from weights.integrity.models import StoreFinding, VerificationRun
from weights.integrity.scrub.store_survey import last_good
from weights.publishing.models import File
from weights.recalls.models import Recall
from weights.storage.models import Blob, BlobQuerySet

Result = VerificationRun.Result
State = Blob.State

#: The columns of each table, in order.
TABLES: dict[str, tuple[str, ...]] = {
    "integrity": (
        *("blobs", "bytes", "verified", "being_checked", "quarantined", "missing"),
        *("scrub_days", "last_read_at", "oldest_read_at", "never_read", "bytes_read"),
        *("store_looked_over_at", "recalls_open", "recalls_repaired"),
    ),
    "checks": (
        *("month", "checks", "bytes_read"),
        *("verified", "mismatch", "missing", "unreadable"),
    ),
    "days": ("day", "blobs", "bytes_read", "failures"),
}
#: Months in the table of checks, and weeks in the table of days.
MONTHS, WEEKS = 13, 53
#: Results of a completed check, and those that are failures.
RESULTS = (Result.VERIFIED, Result.MISMATCH, Result.MISSING, Result.UNREADABLE)
FAILURES = RESULTS[1:]


def tables() -> dict[str, list[dict[str, Any]]]:
    """The rows of each table, with eight queries."""
    return {"integrity": [_integrity()], "checks": _checks(), "days": _days()}


def public_blobs() -> BlobQuerySet:
    """Blobs of visible revisions of public checkpoints."""
    public = Checkpoint.objects.visible_to(None).published()
    files = File.objects.filter(revision__checkpoint__in=public, revision__visible_at__isnull=False)
    return Blob.objects.filter(pk__in=files.values("blob"))


def _integrity() -> dict[str, Any]:
    period = timezone.now() - timedelta(days=settings.SCRUB_DAYS)
    runs = _runs().filter(finished_at__gte=period)
    survey = last_good()
    recalls = Recall.objects.visible_to(None).distinct().values_list("state", flat=True)
    states = list(recalls)
    return {
        **_blobs(),
        "missing": _missing(),
        "scrub_days": settings.SCRUB_DAYS,
        "bytes_read": runs.aggregate(read=Sum("bytes_read"))["read"] or 0,
        "store_looked_over_at": survey.finished_at if survey else None,
        "recalls_open": states.count(Recall.State.OPEN),
        "recalls_repaired": states.count(Recall.State.REPAIRED),
    }


def _blobs() -> dict[str, Any]:
    """Counts by state, and the times of the newest and oldest complete read."""
    verified = Q(state=State.VERIFIED)
    figures = public_blobs().aggregate(
        blobs=Count("pk"),
        bytes=Sum("size"),
        verified=Count("pk", filter=verified & Q(check_due_at=None)),
        quarantined=Count("pk", filter=Q(state=State.QUARANTINED)),
        oldest_read_at=Min("last_verified_at", filter=verified),
        never_read=Count("pk", filter=verified & Q(last_verified_at=None)),
    )
    figures["bytes"] = figures["bytes"] or 0
    checked = figures["verified"] + figures["quarantined"]
    figures["being_checked"] = figures["blobs"] - checked
    last = _runs().filter(result=Result.VERIFIED).order_by("-finished_at").first()
    return {**figures, "last_read_at": last.finished_at if last else None}


def _missing() -> int:
    keys = StoreFinding.objects.filter(kind=StoreFinding.Kind.MISSING)
    names = [key.rpartition("/")[2] for key in keys.values_list("key", flat=True)]
    return public_blobs().filter(sha256__in=names).count()


def _runs() -> "Any":
    return VerificationRun.objects.filter(blob__in=public_blobs())


def _checks() -> list[dict[str, Any]]:
    """Checks with a result, by month, newest first."""
    rows = (
        _runs()
        .filter(result__in=RESULTS, finished_at__isnull=False)
        .annotate(of=TruncMonth("finished_at"))
        .values("of")
        .annotate(
            checks=Count("pk"),
            read=Sum("bytes_read"),
            **{str(result): Count("pk", filter=Q(result=result)) for result in RESULTS},
        )
        .order_by("-of")[:MONTHS]
    )
    return [
        {
            "month": f"{row['of']:%Y-%m}",
            "checks": row["checks"],
            "bytes_read": row["read"],
            **{str(result): row[str(result)] for result in RESULTS},
        }
        for row in rows
    ]


def _days() -> list[dict[str, Any]]:
    """Blobs that were read and checks that failed, by day (UTC), newest first."""
    since = timezone.now() - timedelta(weeks=WEEKS)
    rows = (
        _runs()
        .filter(result__in=RESULTS, finished_at__gte=since)
        .annotate(of=TruncDate("finished_at", tzinfo=UTC))
        .values("of")
        .annotate(
            blobs=Count("blob", distinct=True),
            read=Sum("bytes_read"),
            failures=Count("pk", filter=Q(result__in=FAILURES)),
        )
        .order_by("-of")
    )
    return [
        {
            "day": row["of"].isoformat(),
            "blobs": row["blobs"],
            "bytes_read": row["read"],
            "failures": row["failures"],
        }
        for row in rows
    ]
