"""Background doors of the weights app: take ids, call one domain function."""

import logging
from datetime import timedelta
from typing import Any

from celery import Task, shared_task
from django.utils import timezone

from accounts.models import Grant, Heartbeat
from weights import contents, export, recalls, scrub, verification
from weights.delivery import ledger, links
from weights.manifests import findings, signatures
from weights.models import Checkpoint
from weights.reports import taking
from weights.storage import blob_storage

log = logging.getLogger(__name__)

# What a broken upload left is kept for a day: its publisher may only be slow.
LEFTOVERS_KEPT = timedelta(hours=24)


@shared_task(name="weights.verify_blob", bind=True)
def verify_blob(self: "Task[Any, Any]", blob_id: int) -> None:
    verification.verify(blob_id, worker=self.request.hostname or "")


@shared_task(name="weights.inspect_blob")
def inspect_blob(blob_id: int) -> None:
    verification.inspect(blob_id)


@shared_task(name="weights.tell_recall")
def tell_recall(recall_id: int) -> None:
    recalls.tell(recall_id)


@shared_task(name="weights.issue_checkpoint_link")
def issue_checkpoint_link(link_id: int) -> None:
    links.issue(link_id)


@shared_task(name="weights.issue_links_of_grant")
def issue_links_of_grant(grant_id: int) -> None:
    grant = Grant.objects.filter(pk=grant_id).first()
    if grant is None:
        log.warning("no links are issued: there is no grant %s", grant_id)
        return
    links.links_of_grant(grant)


@shared_task(name="weights.make_export")
def make_export(export_id: int) -> None:
    export.make(export_id)


@shared_task(name="weights.sign_manifest")
def sign_manifest(revision_id: int) -> None:
    signatures.sign(revision_id)


@shared_task(name="weights.sweep")
def sweep() -> None:
    """Queue what a crash or a dead broker kept from being queued."""
    verification.sweep()
    contents.sweep()
    links.sweep()
    export.sweep()
    findings.sweep()
    recalls.sweep()
    signatures.sweep()
    Heartbeat.objects.note("weights")


@shared_task(name="weights.scrub", bind=True)
def take_scrub_turn(self: "Task[Any, Any]") -> None:
    """Look over the store and read a little of it, where a turn is free."""
    scrub.work(worker=self.request.hostname or "")
    Heartbeat.objects.note("scrub")


@shared_task(name="weights.tidy")
def tidy() -> None:
    ledger.tell_refusals()
    ledger.forget_networks(timezone.now())
    taking.forget_contacts(timezone.now())
    verification.ask_outdated_again()
    verification.inspect_strictly(Checkpoint.objects.all())
    blob_storage().sweep(LEFTOVERS_KEPT)
