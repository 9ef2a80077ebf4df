"""Read the install's records after a run, inside the install (`manage.py shell`)."""

import json
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.servers.install import Install


def left_after(install: Install, seconds: float) -> dict[str, int]:
    """Wait until no row is unfinished, at most `seconds`; returns the counts of what is left."""
    left: dict[str, int] = _ask(install, f"print_left_after({seconds})")
    return left


def everything(install: Install) -> dict[str, Any]:
    """The records that the checks compare with what the jobs observed."""
    found: dict[str, Any] = _ask(install, "print_everything()")
    return found


def _ask(install: Install, question: str) -> Any:
    code = f"from tests.chaos import records; records.{question}"
    done = install.manage("shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# -- inside the install ---------------------------------------------------------------------


def print_left_after(seconds: float) -> None:
    """Poll each second, at most `seconds`, until no row is unfinished; print what is left."""
    until = time.monotonic() + seconds
    while (left := _left()) and time.monotonic() < until:
        time.sleep(1)
    json.dump(left, sys.stdout)


def _left() -> dict[str, int]:
    """Count unfinished rows by kind.

    The broker's queue does not count: tasks of a killed worker stay there unacknowledged until
    `visibility_timeout`, but the sweeps queue the same ids again long before, and a task whose
    row is not due does nothing.
    """
    from accounts.audit.merkle_log import unsealed
    from accounts.audit.models import SealBatch
    from accounts.grants.models import Grant
    from accounts.mail.models import OutgoingMail
    from weights.delivery.models import CheckpointLink
    from weights.manifests.models import ManifestSignature
    from weights.publishing.models import Revision
    from weights.recalls.models import Recall
    from weights.storage.models import Blob

    approved = Grant.objects.live().filter(origin=Grant.Origin.APPLICATION)
    signed = ManifestSignature.objects.values("revision")
    last = SealBatch.objects.order_by("number").last()
    counts = {
        "mails": OutgoingMail.objects.filter(state=OutgoingMail.State.QUEUED).count(),
        "blobs": Blob.objects.awaiting_result().count(),
        "revisions": Revision.objects.awaiting_verification().count(),
        "links": CheckpointLink.objects.filter(state=CheckpointLink.State.QUEUED).count(),
        "grants without a link": approved.filter(checkpoint_links=None).count(),
        "manifests": Revision.objects.visible().exclude(pk__in=signed).count(),
        "recalls": Recall.objects.filter(told_at=None).count(),
        "rows without a seal": unsealed.backlog(last)[0],
    }
    return {kind: count for kind, count in counts.items() if count}


def print_everything() -> None:
    from accounts.mail.models import OutgoingMail

    mails = OutgoingMail.objects.order_by("pk")
    json.dump(
        {
            "mails": [
                {
                    "id": str(mail.public_id),
                    "kind": mail.kind,
                    "to": mail.to,
                    "state": mail.state,
                    "attempts": mail.attempts,
                    "about": mail.object_id,
                    "error": mail.last_error,
                }
                for mail in mails
            ],
            "applications": _applications(),
            "revisions": _revisions(),
            "downloads": _downloads(),
            "store": _store(),
        },
        sys.stdout,
    )


def _applications() -> list[dict[str, Any]]:
    from accounts.applications.models import Application
    from accounts.audit.models import AuditEvent
    from accounts.grants.models import Grant

    return [
        {
            "pk": one.pk,
            "id": str(one.public_id),
            "applicant": one.applicant.username,
            "status": one.status,
            "snapshots": one.snapshots.count(),
            "decisions": [
                {"word": decision.verdict, "reviewer": decision.reviewer.username}
                for decision in one.decisions.select_related("reviewer")
            ],
            "grants": Grant.objects.filter(application=one).count(),
            "told": Counter(
                AuditEvent.objects.about(one).filter(result="ok").values_list("action", flat=True)
            ),
        }
        for one in Application.objects.select_related("applicant").order_by("pk")
    ]


def _revisions() -> dict[str, dict[str, Any]]:
    from weights.publishing.models import Revision

    return {
        f"{revision.checkpoint.repo_id}@{revision.sha}": {
            "state": revision.state,
            "files": dict(revision.files.values_list("path", "blob__sha256")),
        }
        for revision in Revision.objects.select_related("checkpoint")
    }


def _downloads() -> dict[str, int]:
    """Numbers of downloads that were served or redirected, by username."""
    from accounts.users.models import User
    from weights.ledger.models import Download

    served = Download.objects.filter(
        outcome__in=[Download.Outcome.SERVED, Download.Outcome.REDIRECTED]
    )
    names = dict(User.objects.values_list("pk", "username"))
    return Counter(names.get(pk, "") for pk in served.values_list("user_id", flat=True) if pk)


def _store() -> dict[str, list[str]]:
    """Blobs without a row, rows without a blob, and leftovers of uploads.

    Nothing is being published, so every upload in the store is a leftover. The sweep removes those
    older than a day; with age 0 it must remove all.
    """
    from weights.storage import blob_storage
    from weights.storage.models import Blob

    storage = blob_storage()
    before = _names(storage)
    storage.sweep(timedelta(0))
    after = _names(storage)
    blobs = {name.rpartition("/")[2] for name in after}
    rows = set(Blob.objects.values_list("sha256", flat=True))
    return {
        "swept": sorted(before - after),
        "without a row": sorted(blobs - rows),
        "lost": sorted(rows - blobs),
    }


def _names(storage: Any) -> set[str]:
    """All objects or files of the store, leftovers included."""
    if storage.address.startswith("s3://"):
        pages = storage.client.get_paginator("list_objects_v2")
        return {
            one["Key"]
            for page in pages.paginate(Bucket=storage.bucket, Prefix=storage.prefix)
            for one in page.get("Contents", [])
        }
    root: Path = storage.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
