"""What the install itself says afterwards. Runs inside it (`manage.py shell`), prints JSON."""

import json
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.servers.install import Install


def left_after(install: Install, seconds: float) -> dict[str, int]:
    """Return once all is done, or what still waits then: how many rows of each kind."""
    left: dict[str, int] = _ask(install, f"tell_left_after({seconds})")
    return left


def everything(install: Install) -> dict[str, Any]:
    """All that the checks compare with what the jobs have seen."""
    told: dict[str, Any] = _ask(install, "tell_everything()")
    return told


def _ask(install: Install, question: str) -> Any:
    code = f"from tests.chaos import records; records.{question}"
    done = install.manage("shell", "-v0", "-c", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# -- inside the install ---------------------------------------------------------------------


def tell_left_after(seconds: float) -> None:
    """Look each second, for so long, whether a row still waits for somebody."""
    until = time.monotonic() + seconds
    while (left := _left()) and time.monotonic() < until:
        time.sleep(1)
    json.dump(left, sys.stdout)


def _left() -> dict[str, int]:
    """Rows are the memory, so rows are counted, not what the broker holds.

    Tasks that a killed worker had taken stay in the broker, unacknowledged, until
    `visibility_timeout` has passed and another worker gets them. That does no harm: the sweeps
    have sent the same ids anew long before, and a task whose row is not due does nothing.
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


def tell_everything() -> None:
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
    """Answers with bytes or an address to them, by name."""
    from accounts.users.models import User
    from weights.ledger.models import Download

    given = Download.objects.filter(
        outcome__in=[Download.Outcome.SERVED, Download.Outcome.REDIRECTED]
    )
    names = dict(User.objects.values_list("pk", "username"))
    return Counter(names.get(pk, "") for pk in given.values_list("user_id", flat=True) if pk)


def _store() -> dict[str, list[str]]:
    """What stands in the store without a row, what has a row and is not there, what is left over.

    Nobody publishes any more, so every upload that is left is a leftover; the sweep takes those
    older than a day, and here, told that all are old, must take every one.
    """
    from weights.storage import blob_storage
    from weights.storage.models import Blob

    storage = blob_storage()
    before = _names(storage)
    storage.sweep(timedelta(0))
    after = _names(storage)
    kept = {name.rpartition("/")[2] for name in after}
    known = set(Blob.objects.values_list("sha256", flat=True))
    return {
        "swept": sorted(before - after),
        "without a row": sorted(kept - known),
        "lost": sorted(known - kept),
    }


def _names(storage: Any) -> set[str]:
    """Every object or file of the store, leftovers too."""
    if storage.address.startswith("s3://"):
        pages = storage.client.get_paginator("list_objects_v2")
        return {
            one["Key"]
            for page in pages.paginate(Bucket=storage.bucket, Prefix=storage.prefix)
            for one in page.get("Contents", [])
        }
    root: Path = storage.root
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
