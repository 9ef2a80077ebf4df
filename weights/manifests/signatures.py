"""Signs the manifest of each visible revision, from its recorded and verified hashes.

Workers sign. The sweep finds revisions that the current key has not signed, also after a key
rotation. Signing twice stores only the first signature.
"""

import logging

from django.db import transaction
from django.db.models import QuerySet

from accounts.audit.models import AuditEvent
from accounts.background.periodic import queue_each
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.errors import WeightsError
from weights.event_tags import WeightsEvent
from weights.manifests import keys, listing, openssf
from weights.manifests.document import document_of, files_of
from weights.manifests.models import ManifestKey, ManifestSignature, PublishedManifest
from weights.manifests.portal_files import portal_file_names
from weights.publishing.models import Revision
from weights.task_names import WeightsTask

log = logging.getLogger(__name__)

#: Revisions queued by one sweep.
SWEEP_SIZE = 200
#: The folder that the Hub's client creates beside its downloads.
_CLIENT_CACHE = ".cache/huggingface"


def sign(revision_id: int) -> None:
    """Signs a visible revision with the current key, unless it is signed already.

    Raises WeightsError if the document differs from the files.
    """
    private = keys.private_key()
    if private is None:
        return  # this process does not sign
    key = keys.key_record(private)
    if key.retired_at is not None:
        log.warning("manifest key %s is %s and no longer signs", key, key.state)
        return
    revision = _unsigned(key).filter(pk=revision_id).first()
    if revision is None:
        return
    document = document_of(revision)
    if not _matches(revision, document):
        raise WeightsError(f"the manifest of {revision} differs from its files; it is not signed")
    _store(revision, key, openssf.bundle(_statement(revision, document), private))


def sweep() -> None:
    """Queues revisions that the current key has not signed yet."""
    private = keys.private_key()
    if private is None:
        return
    key = keys.key_record(private)
    if key.retired_at is not None:
        return
    # In random order, so that a revision that cannot be signed does not hold up others.
    queue_each(WeightsTask.SIGN_MANIFEST, _unsigned(key).order_by("?"), SWEEP_SIZE)


def signature_of(revision: Revision, key_id: str = "") -> ManifestSignature | None:
    """The revision's newest trusted signature, or the trusted one by the key `key_id`."""
    if not is_storable(key_id):
        return None
    trusted = ManifestSignature.objects.trusted_for(revision)
    return (trusted.filter(key__key_id=key_id) if key_id else trusted).first()


def signers(checkpoint: Checkpoint) -> dict[int, str]:
    """For each revision's primary key, the id of the newest trusted key that signed it."""
    trusted = ManifestSignature.objects.filter(
        revision__checkpoint=checkpoint, key__compromised_at=None
    )
    oldest_first = trusted.order_by("key__first_used_at", "key__pk")
    return dict(oldest_first.values_list("revision_id", "key__key_id"))


def _unsigned(key: ManifestKey) -> QuerySet[Revision]:
    signed = ManifestSignature.objects.filter(key=key).values("revision")
    unsigned = Revision.objects.visible().exclude(pk__in=signed)
    return unsigned.select_related("checkpoint__tier__licence", "parent")


def _matches(revision: Revision, document: PublishedManifest) -> bool:
    """True if the document's files yield the revision's id."""
    entries = [
        listing.Entry(file["path"], file["size"], file["sha256"]) for file in files_of(document)
    ]
    parent = revision.parent.sha if revision.parent else None
    return listing.revision_sha(listing.manifest_sha256(entries), parent) == revision.sha


def _statement(revision: Revision, document: PublishedManifest) -> bytes:
    """The statement to sign: the files, and the hash of the document that has their terms."""
    hashes = {file["path"]: file["sha256"] for file in files_of(document)}
    weighbridge = {
        "checkpoint": revision.checkpoint.repo_id,
        "revision": revision.sha,
        "manifest": {"sha256": document.sha256},
    }
    return openssf.statement(
        f"{revision.checkpoint.repo_id}@{revision.sha}",
        hashes,
        ignored=[_CLIENT_CACHE, *portal_file_names(hashes.keys())],
        extra={"weighbridge": weighbridge},
    )


@transaction.atomic
def _store(revision: Revision, key: ManifestKey, bundle: str) -> None:
    _, created = ManifestSignature.objects.get_or_create(
        revision=revision, key=key, defaults={"bundle": bundle}
    )
    if created:
        details = {
            "checkpoint": revision.checkpoint.repo_id,
            "sha": revision.sha,
            "key": key.key_id,
        }
        AuditEvent.record(WeightsEvent.MANIFEST_SIGNED, target=revision, details=details)
