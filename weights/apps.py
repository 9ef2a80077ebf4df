from django.apps import AppConfig
from django.db.models.signals import post_migrate

from accounts.audit import append_only

#: Tables of published content and of facts about bytes; the erasure of a person skips them.
PUBLISHED = {
    *("weights.Family", "weights.Checkpoint", "weights.FileFacts", "weights.Revision"),
    *("weights.Ref", "weights.File", "weights.Blob", "weights.IntakeNote", "weights.Inspection"),
    "weights.RevisionSource",
    *("weights.PublishedManifest", "weights.ManifestKey", "weights.ManifestSignature"),
    *("weights.Download", "weights.VerificationRun", "weights.StoreFinding"),
}


class WeightsConfig(AppConfig):
    """Families, checkpoints, revisions, files and blobs, and their delivery."""

    name = "weights"
    verbose_name = "Checkpoints and delivery"

    def ready(self) -> None:
        # These modules import models, which are not loaded before ready().
        from accounts import release_interface, transparency  # noqa: PLC0415
        from accounts.audit.merkle_log import copies, sealed_tables  # noqa: PLC0415
        from accounts.change_requests import acts  # noqa: PLC0415
        from accounts.privacy import redaction  # noqa: PLC0415
        from weights import storage  # noqa: PLC0415
        from weights.change_requests.open_checkpoint import OpenCheckpoint  # noqa: PLC0415
        from weights.change_requests.override_inspection import (  # noqa: PLC0415
            OverrideInspection,
        )
        from weights.change_requests.publish_draft import PublishDraft  # noqa: PLC0415
        from weights.delivery.release_interface import DeliveryReleases  # noqa: PLC0415
        from weights.integrity import public_statistics  # noqa: PLC0415
        from weights.ledger import recording  # noqa: PLC0415
        from weights.storage import head_copies  # noqa: PLC0415

        storage.prepare()
        release_interface.register(DeliveryReleases())
        transparency.TABLES.update(public_statistics.TABLES)
        transparency.SOURCES.append(public_statistics.tables)
        redaction.EXCLUDED |= PUBLISHED
        sealed_tables.LOGS.append(recording.DOWNLOADS)
        acts.register(OpenCheckpoint())
        acts.register(OverrideInspection())
        acts.register(PublishDraft())
        copies.WRITERS["s3"] = head_copies.put
        copies.READERS["s3"] = head_copies.read
        restore = append_only.after_migrate(
            "weights", "0001_squashed_0018_inspections_read_to_end", recording.PROTECTED
        )
        post_migrate.connect(restore, sender=self, weak=False, dispatch_uid="weights.append_only")
