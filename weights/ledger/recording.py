"""Writes the download ledger, and defines which fields are sealed."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models

from accounts.audit import append_only, request_context
from accounts.audit.merkle_log.canonical import timestamp
from accounts.audit.merkle_log.sealed_tables import Log, Row
from accounts.audit.models import AuditEvent
from accounts.privacy.retention import NETWORKS_KEPT
from accounts.rate_limits import buckets, tallies
from accounts.rate_limits.buckets import Limit
from accounts.users.models import User
from accounts.web import sanitize
from weights.event_tags import WeightsEvent
from weights.gate import Decision
from weights.gate.caller import Caller
from weights.ledger import metrics, waiting_rows
from weights.ledger.models import Download
from weights.publishing.models import File

#: Append-only like the audit trail; only the network may be cleared.
PROTECTED: append_only.Tables = {"weights_download": "network"}

#: Refusals per user and hour that are recorded individually; enough for 992 shards.
REFUSALS = Limit("row-refusal", 1000, 3600)
_ANONYMOUS, _OVER_LIMIT = "refused-strangers", "refused-unwritten"
_EVENTS = {
    _ANONYMOUS: WeightsEvent.GATE_STRANGERS_REFUSED,
    _OVER_LIMIT: WeightsEvent.GATE_REFUSALS_UNWRITTEN,
}

#: The fields of a leaf: all but the network.
SEALED = (
    *("id", "at", "user_id", "credential_kind", "credential_id", "grant_id", "checkpoint_id"),
    *("file_id", "repo_id", "revision", "path", "sha256", "start", "length", "outcome", "code"),
    "request_id",
)


def download_form(row: Row) -> dict[str, Any]:
    """Returns a ledger row as it is hashed."""
    return {"log": "download", **dict(zip(SEALED, row, strict=True)), "at": timestamp(row[1])}


def _of_person(person: User) -> "models.QuerySet[Any]":
    return Download.objects.filter(user_id=person.pk)


DOWNLOADS = Log(2, "download", Download, SEALED, download_form, _of_person)


def record_served(
    caller: Caller,
    decision: Decision,
    file: File,
    outcome: Download.Outcome,
    *,
    start: int,
    length: int,
) -> None:
    """Records that `length` bytes of `file` from offset `start` are about to be sent."""
    checkpoint = file.revision.checkpoint
    _write(
        caller,
        grant_id=decision.grant.pk if decision.grant else None,
        checkpoint_id=checkpoint.pk,
        file_id=file.pk,
        repo_id=checkpoint.repo_id,
        revision=file.revision.sha,
        path=file.path,
        sha256=file.sha256,
        start=start,
        length=length,
        outcome=outcome,
    )
    metrics.DOWNLOADS.labels(outcome).inc()
    metrics.BYTES.labels(outcome).inc(length)


def record_refusal(
    caller: Caller, decision: Decision, repo_id: str, revision: str, path: str
) -> None:
    """Records the refusal of a signed-in caller; counts refusals of anonymous ones by code.

    Does not record 404s, since clients request many optional files. Refusals beyond a user's limit
    are only counted too: a scan must not fill the disk with rows that cannot be deleted.
    """
    if decision.code is None:
        return
    if caller.user is None:
        tallies.add(_ANONYMOUS, str(decision.code))
        return
    if settings.READ_ONLY or not buckets.take(REFUSALS, str(caller.user.pk)).allowed:
        tallies.add(_OVER_LIMIT, str(decision.code))
        return
    _write(
        caller,
        checkpoint_id=decision.checkpoint.pk if decision.checkpoint else None,
        repo_id=_clip(repo_id, 193),
        revision=_clip(revision, 200),
        path=_clip(path, 1024),
        outcome=Download.Outcome.REFUSED,
        code=str(decision.code),
    )


def record_counted_refusals() -> None:
    """Moves the counts of refusals into the audit trail, hourly.

    If the process is killed meanwhile, the counts of that hour are lost.
    """
    for tally, action in _EVENTS.items():
        if counts := tallies.drain(tally):
            AuditEvent.record(action, result="refused", details=counts)


def forget_networks(now: datetime) -> int:
    """Clears networks older than NETWORKS_KEPT; returns the number of rows."""
    old = Download.objects.filter(at__lt=now - NETWORKS_KEPT).exclude(network="")
    return old.update(network="")


def _write(caller: Caller, **fields: object) -> None:
    request = request_context.current()
    row = Download(
        user_id=caller.user.pk if caller.user else None,
        credential_kind=caller.kind,
        credential_id=caller.credential_id,
        request_id=request.request_id,
        network=request.network,
        **fields,
    )
    if settings.READ_ONLY:
        waiting_rows.put(row)
    else:
        row.save(force_insert=True)


def _clip(name: str, length: int) -> str:
    """A requested name on one line, with hidden characters escaped, truncated to its column."""
    return sanitize.log_line(name)[:length]
