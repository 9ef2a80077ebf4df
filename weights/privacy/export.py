"""Archives of all data about a user: a JSON file, and the documents they sent."""

import io
import json
import logging
import zipfile
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.background.locks import lock_user
from accounts.background.periodic import queue_each
from accounts.background.queueing import queue_after_commit
from accounts.privacy import personal_data
from accounts.privacy.models import DataExport
from accounts.users.models import User
from weights.delivery.models import CheckpointLink
from weights.event_tags import WeightsEvent
from weights.ledger.models import Download
from weights.task_names import WeightsTask

log = logging.getLogger(__name__)

README = """This is everything that the portal stores about you, as of the time in data.json.
Times are UTC, sizes are bytes. Documents that you sent are in documents/.
Secrets (passwords, tokens, links) are not stored in readable form and not included; nor are the
names of staff and their internal notes.
"""


@transaction.atomic
def request_export(user: User) -> DataExport:
    """Queues an archive, or returns the queued one."""
    lock_user(user)
    queued = DataExport.objects.filter(user=user, state=DataExport.State.QUEUED).first()
    if queued is not None:
        return queued
    export = DataExport.objects.create(user=user)
    AuditEvent.record(WeightsEvent.EXPORT_ASKED, actor=user, target=user)
    queue_after_commit(WeightsTask.MAKE_EXPORT, export.pk)
    return export


def make_export(export_id: int) -> None:
    """Builds a queued archive; does nothing if it is ready."""
    with transaction.atomic():
        queued = DataExport.objects.select_for_update(of=("self",))
        export = queued.filter(pk=export_id, state=DataExport.State.QUEUED).first()
        if export is None:
            return
        content = build_archive(export.user)
        export.content, export.size = content, len(content)
        export.state, export.made_at = DataExport.State.READY, timezone.now()
        export.save()
        AuditEvent.record(
            WeightsEvent.EXPORT_MADE, target=export.user, details={"bytes": len(content)}
        )


def build_archive(user: User) -> bytes:
    """A ZIP of README.txt, data.json and documents/."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("README.txt", README)
        target.writestr("data.json", json.dumps(_data(user), cls=_Encoder, indent=1))
        for one in personal_data.attachments(user):
            folder = f"documents/{one.application.reference}"
            target.writestr(f"{folder}/{one.public_id}.pdf", bytes(one.content.data))
    return buffer.getvalue()


def sweep() -> None:
    """Requeues archives that a crash or a broker failure left unmade."""
    queued = DataExport.objects.filter(state=DataExport.State.QUEUED)
    queue_each(WeightsTask.MAKE_EXPORT, queued, 50)


def _data(user: User) -> dict[str, Any]:
    links = CheckpointLink.objects.filter(holder=user).select_related("checkpoint", "revision")
    downloads = Download.objects.filter(user_id=user.pk).order_by("pk")
    return {
        "made_at": timezone.now(),
        **personal_data.records(user),
        "links": [_link(one) for one in links.defer("plan")],
        "downloads": list(
            downloads.values(
                *("at", "repo_id", "revision", "path", "sha256", "start", "length", "outcome"),
                *("code", "credential_kind", "request_id", "network"),
            )
        ),
    }


def _link(link: CheckpointLink) -> dict[str, Any]:
    return {
        "public_id": link.public_id,
        "checkpoint": link.checkpoint.repo_id,
        "revision": link.revision.sha if link.revision else None,
        "state": link.state,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
        "revoked_at": link.revoked_at,
    }


class _Encoder(DjangoJSONEncoder):
    """Encodes other types as strings."""

    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)
