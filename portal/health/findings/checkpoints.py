"""Links of checkpoints to issue, and manifests to sign."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse

from portal.health.findings.line import PATIENCE, Line
from weights.delivery.models import CheckpointLink
from weights.manifests.models import ManifestSignature
from weights.publishing.models import Revision


def links() -> Line:
    state = CheckpointLink.State
    found: dict[str, Any] = CheckpointLink.objects.filter(
        state__in=[state.QUEUED, state.FAILED]
    ).aggregate(
        queued=Count("pk", filter=Q(state=state.QUEUED)),
        failed=Count("pk", filter=Q(state=state.FAILED)),
    )
    return Line(
        "Links being prepared",
        "late" if found["failed"] else "ok",
        f"{found['queued']}; {found['failed']} could not be issued",
        reverse("admin:weights_checkpointlink_changelist"),
        {"links_waiting": found["queued"], "links_failed": found["failed"]},
    )


def signing(now: datetime) -> Line:
    """Visible revisions that no active key has signed within PATIENCE."""
    signed = ManifestSignature.objects.filter(key__retired_at=None).values("revision")
    waiting = Revision.objects.visible().exclude(pk__in=signed)
    count = waiting.filter(visible_at__lt=now - PATIENCE).count()
    text = f"{count} for over an hour: does a worker have MANIFEST_KEY_FILE set?" if count else "0"
    page = reverse("admin:weights_manifestkey_changelist")
    state = "late" if count else "ok"
    return Line("Manifests to sign", state, text, page, {"manifests_unsigned": count})
