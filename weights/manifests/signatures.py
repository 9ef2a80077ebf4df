"""Sign each visible revision's files, from the hashes that were recorded and verified.

Signing belongs to the workers. The rows are the memory: a revision without a signature by the
current key is found by the sweep, also after the key was changed, and signing twice keeps
the first signature.
"""

import logging

from django.db import transaction
from django.db.models import QuerySet

from accounts.audit.models import AuditEvent
from accounts.background.periodic import queue_each
from accounts.web.sanitize import is_storable
from weights.catalogue.models import Checkpoint
from weights.errors import WeightsError
from weights.manifests import keys, listing, openssf
from weights.manifests.document import document_of, files_of
from weights.manifests.models import ManifestKey, ManifestSignature, PublishedManifest
from weights.manifests.portal_files import names_beside
from weights.publishing.models import Revision

log = logging.getLogger(__name__)

#: Revisions that one sweep queues.
AT_ONCE = 200
#: What the Hub's client keeps in the folder that it downloads to.
_CLIENTS_NOTES = ".cache/huggingface"


def sign(revision_id: int) -> None:
    """Sign a visible revision with the current key, unless that was done.

    Raises WeightsError for a document that differs from the files.
    """
    private = keys.private_key()
    if private is None:
        return  # another process is the signer
    key = keys.on_record(private)
    if key.retired_at is not None:
        log.warning("manifest key %s is %s and signs no more", key, key.state)
        return
    revision = _unsigned(key).filter(pk=revision_id).first()
    if revision is None:
        return
    document = document_of(revision)
    if not _agrees(revision, document):
        raise WeightsError(f"the manifest of {revision} differs from its files; it is not signed")
    _keep(revision, key, openssf.bundle(_statement(revision, document), private))


def sweep() -> None:
    """Queue what the current key has not signed yet."""
    private = keys.private_key()
    if private is None:
        return
    key = keys.on_record(private)
    if key.retired_at is not None:
        return
    # In no order: one that cannot be signed holds up no other.
    queue_each("weights.sign_manifest", _unsigned(key).order_by("?"), AT_ONCE)


def offered(revision: Revision, key_id: str = "") -> ManifestSignature | None:
    """The newest trusted signature of a revision, or the one by the key of this id."""
    if not is_storable(key_id):
        return None
    found = ManifestSignature.objects.offered(revision)
    return (found.filter(key__key_id=key_id) if key_id else found).first()


def signers(checkpoint: Checkpoint) -> dict[int, str]:
    """Revision's primary key -> the id of the newest trusted key that signed it."""
    trusted = ManifestSignature.objects.filter(
        revision__checkpoint=checkpoint, key__compromised_at=None
    )
    oldest_first = trusted.order_by("key__first_used_at", "key__pk")
    return dict(oldest_first.values_list("revision_id", "key__key_id"))


def _unsigned(key: ManifestKey) -> QuerySet[Revision]:
    signed = ManifestSignature.objects.filter(key=key).values("revision")
    found = Revision.objects.visible().exclude(pk__in=signed)
    return found.select_related("checkpoint__tier__licence", "parent")


def _agrees(revision: Revision, document: PublishedManifest) -> bool:
    """Whether the document's files are those that the revision is named for."""
    entries = [
        listing.Entry(file["path"], file["size"], file["sha256"]) for file in files_of(document)
    ]
    parent = revision.parent.sha if revision.parent else None
    named = listing.revision_sha(listing.manifest_sha256(entries), parent)
    return named == revision.sha


def _statement(revision: Revision, document: PublishedManifest) -> bytes:
    """The files, and the hash of the document that also says whose they are and on what terms."""
    hashes = {file["path"]: file["sha256"] for file in files_of(document)}
    about = {
        "checkpoint": revision.checkpoint.repo_id,
        "revision": revision.sha,
        "manifest": {"sha256": document.sha256},
    }
    return openssf.statement(
        f"{revision.checkpoint.repo_id}@{revision.sha}",
        hashes,
        ignored=[_CLIENTS_NOTES, *names_beside(hashes.keys())],
        more={"weighbridge": about},
    )


@transaction.atomic
def _keep(revision: Revision, key: ManifestKey, bundle: str) -> None:
    _, new = ManifestSignature.objects.get_or_create(
        revision=revision, key=key, defaults={"bundle": bundle}
    )
    if new:
        details = {
            "checkpoint": revision.checkpoint.repo_id,
            "sha": revision.sha,
            "key": key.key_id,
        }
        AuditEvent.record("manifest.signed", target=revision, details=details)
