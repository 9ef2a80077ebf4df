"""Stored bytes: checks, quarantine, scrubs, the store's survey and its versions."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q
from django.urls import reverse

from portal.checks import NOT_VERSIONED
from portal.health.findings.line import ITEMS_SHOWN, PATIENCE, Line, age_of, seconds, waiting_text
from weights.errors import StorageUnavailable
from weights.integrity import scrub
from weights.integrity.scrub import command
from weights.integrity.verification import interrupted_blobs
from weights.storage import blob_storage
from weights.storage.models import UNVERIFIED, Blob

#: The store is surveyed at least daily.
SURVEY_PATIENCE = timedelta(hours=25)


def verification(now: datetime) -> list[Line]:
    found = Blob.objects.aggregate(
        waiting=Count("pk", filter=Q(state__in=UNVERIFIED)),
        oldest=Min("created_at", filter=Q(state__in=UNVERIFIED)),
        quarantined=Count("pk", filter=Q(state=Blob.State.QUARANTINED)),
        shown=Count("pk", filter=Q(pk__in=command.quarantined().values("pk"))),
    )
    shown = found["shown"]
    page = reverse("admin:weights_blob_changelist")
    waits = found["oldest"] is not None and now - found["oldest"] > PATIENCE
    text = waiting_text(found["waiting"], found["oldest"], now)
    return [
        Line(
            "Blobs to verify",
            "late" if waits else "ok",
            text,
            page,
            {
                "verification_waiting": found["waiting"],
                "verification_oldest": seconds(found["oldest"], now),
            },
        ),
        Line(
            "Blobs in quarantine",
            "alarm" if shown else "ok",
            f"{shown} published; {found['quarantined'] - shown} never shown",
            f"{page}?state__exact=quarantined",
            {"quarantined_published": shown},
        ),
        _interrupted_checks(page),
    ]


def _interrupted_checks(page: str) -> Line:
    """Blobs whose checks were repeatedly stopped or killed; each check starts over."""
    name, interrupted = "Interrupted checks", interrupted_blobs()
    if not interrupted:
        return Line(name, "ok", "none", page)
    shown = ", ".join(
        f"{sha256} ({count} in a row)"
        for sha256, count in sorted(interrupted.items())[:ITEMS_SHOWN]
    )
    text = f"{len(interrupted)}: {shown}; each check starts over, so let a worker finish one"
    return Line(name, "alarm", text, page)


def overdue_scrubs(now: datetime) -> Line:
    """Blobs whose scrub is behind schedule."""
    found = scrub.late(now).aggregate(blobs=Count("pk"), oldest=Min("last_verified_at"))
    text = f"{found['blobs']}"
    if found["oldest"]:
        text += (
            f", the oldest last read {age_of(found['oldest'], now)} ago: raise"
            " SCRUB_BYTES_PER_SECOND, or look for stopped workers"
        )
    page = reverse("admin:weights_blob_changelist")
    state = "late" if found["blobs"] else "ok"
    name = f"Blobs unread for {settings.SCRUB_DAYS} days"
    return Line(name, state, text, page, {"scrub_overdue": found["blobs"]})


def survey(now: datetime) -> Line:
    """The result of the last survey of the store."""
    name, page = "Missing in the store", reverse("admin:weights_storefinding_changelist")
    last, good = scrub.last_one(), scrub.last_good()
    if last is not None and last.trouble:
        return Line(name, "alarm", f"unknown: {last.trouble}"[:300], page)
    if good is None or good.finished_at is None:
        return Line(name, "ok", "not surveyed yet", page)
    text = f"{good.missing}; {good.orphaned} orphaned; surveyed {age_of(good.finished_at, now)} ago"
    if good.overlaid:
        text += f"; {good.overlaid} overwritten, downloads still get the verified version"
    old = now - good.finished_at > SURVEY_PATIENCE
    wrong = good.missing or good.overlaid
    values = {"store_missing": good.missing, "store_overwritten": good.overlaid}
    return Line(name, "alarm" if wrong else "late" if old else "ok", text, page, values)


def versions() -> Line:
    """Whether the bucket keeps overwritten versions; late if not, or if it is unreachable."""
    name, storage = "Versions in the store", blob_storage()
    if storage.is_local:
        return Line(name, "ok", "files: a changed file is detected at the next request")
    if not storage.binds_versions:
        return Line(name, "ok", "not pinned: the CDN serves the current object in the bucket")
    try:
        keeps_versions = storage.keeps_versions()
    except StorageUnavailable as error:
        return Line(name, "late", f"unknown: {error}"[:300])
    return Line(name, "ok", "kept") if keeps_versions else Line(name, "late", NOT_VERSIONED)
