"""Celery tasks of the weights app; each takes ids and calls one service."""

import logging
from datetime import timedelta
from functools import partial
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from accounts.background.periodic import attempt, run_steps
from accounts.grants.models import Grant
from weights import recalls
from weights.catalogue import file_facts
from weights.catalogue.models import Checkpoint
from weights.catalogue.search import documents
from weights.delivery import links
from weights.integrity import scrub, verification
from weights.ledger import recording, waiting_rows
from weights.manifests import signatures
from weights.privacy import export
from weights.publishing import lint_findings
from weights.reports import submission
from weights.storage import blob_storage
from weights.task_names import WeightsTask
from weights.uploads import multipart
from weights.uploads import sweep as uploads
from weights.uploads.xet import xorbs

log = logging.getLogger(__name__)

#: Age at which files of an interrupted upload are deleted; until then the upload can resume.
LEFTOVERS_MAX_AGE = timedelta(hours=24)


@shared_task(name=WeightsTask.VERIFY_BLOB, bind=True)
def verify_blob(self: "Task[Any, Any]", blob_id: int, *others: int) -> None:
    worker = self.request.hostname or ""
    if others:
        verification.verify_batch([blob_id, *others], worker=worker)
    else:
        verification.verify(blob_id, worker=worker)


@shared_task(name=WeightsTask.INSPECT_BLOB)
def inspect_blob(blob_id: int) -> None:
    attempt(WeightsTask.INSPECT_BLOB, blob_id, verification.inspect)


@shared_task(name=WeightsTask.HASH_UPLOAD)
def hash_upload(upload_id: int) -> None:
    attempt(WeightsTask.HASH_UPLOAD, upload_id, multipart.hash_object)


@shared_task(name=WeightsTask.TELL_RECALL)
def tell_recall(recall_id: int) -> None:
    attempt(WeightsTask.TELL_RECALL, recall_id, recalls.mail_people)


@shared_task(name=WeightsTask.ISSUE_CHECKPOINT_LINK)
def issue_checkpoint_link(link_id: int) -> None:
    attempt(WeightsTask.ISSUE_CHECKPOINT_LINK, link_id, links.issue)


@shared_task(name=WeightsTask.ISSUE_LINKS_OF_GRANT)
def issue_links_of_grant(grant_id: int) -> None:
    grants = Grant.objects.filter(pk=grant_id)
    if not grants:
        log.warning("no links issued: there is no grant %s", grant_id)
    links.links_of_grants(grants)


@shared_task(name=WeightsTask.MAKE_EXPORT)
def make_export(export_id: int) -> None:
    attempt(WeightsTask.MAKE_EXPORT, export_id, export.make_export)


@shared_task(name=WeightsTask.SIGN_MANIFEST)
def sign_manifest(revision_id: int) -> None:
    attempt(WeightsTask.SIGN_MANIFEST, revision_id, signatures.sign)


SWEEP = {
    "ledger rows": waiting_rows.store,
    "verification": verification.sweep,
    "uploads": multipart.queue_lost,
    "contents": file_facts.sweep,
    "search documents": documents.sweep,
    "links": links.sweep,
    "exports": export.sweep,
    "findings": lint_findings.sweep,
    "recalls": recalls.sweep,
    "signatures": signatures.sweep,
}


@shared_task(name=WeightsTask.SWEEP)
def sweep() -> None:
    """Queues work that a crash or a broker outage left unqueued."""
    run_steps("weights", SWEEP)


@shared_task(name=WeightsTask.SCRUB, bind=True)
def take_scrub_turn(self: "Task[Any, Any]") -> None:
    """Takes a scrub turn if one is free: surveys the store and reads part of it."""
    scrub.work(worker=self.request.hostname or "")


@shared_task(name=WeightsTask.TIDY)
def tidy() -> None:
    now = timezone.now()
    run_steps(
        "tidy",
        {
            "refusals told": recording.record_counted_refusals,
            "networks forgotten": partial(recording.forget_networks, now),
            "contacts forgotten": partial(submission.forget_contacts, now),
            "outdated inspections": verification.reinspect_outdated,
            "strict tiers": partial(verification.inspect_strictly, Checkpoint.objects.all()),
            "uploads forgotten": uploads.sweep,
            "unused blobs": uploads.sweep_blobs,
            "xorbs forgotten": xorbs.sweep,
            "leftovers": lambda: blob_storage().sweep(LEFTOVERS_MAX_AGE),
        },
    )
