"""The download ledger: a row for each answer with bytes, and each refusal of a known caller."""

from datetime import datetime
from typing import Any

from django.db import models

from accounts.audit import append_only, request_context
from accounts.audit.merkle_log.canonical import moment
from accounts.audit.merkle_log.logs import Log, Row
from accounts.audit.models import AuditEvent
from accounts.privacy.retention import NETWORKS_KEPT
from accounts.rate_limits import buckets, tallies
from accounts.rate_limits.buckets import Limit
from accounts.users.models import User
from accounts.web import sanitize
from weights.gate import Decision
from weights.gate.caller import Caller
from weights.ledger.models import Download
from weights.publishing.models import File

#: Sealed like the trail, and like there only the network may be forgotten.
PROTECTED: append_only.Tables = {"weights_download": "network"}

#: Refusals of one person that are written one by one: a download of 992 shards has room.
REFUSALS = Limit("row-refusal", 1000, 3600)
_STRANGERS, _TOO_MANY = "refused-strangers", "refused-unwritten"
_TOLD_AS = {_STRANGERS: "gate.strangers_refused", _TOO_MANY: "gate.refusals_unwritten"}

#: What enters the leaf: every field but the network, in no order that matters.
SEALED = (
    *("id", "at", "user_id", "credential_kind", "credential_id", "grant_id", "checkpoint_id"),
    *("file_id", "repo_id", "revision", "path", "sha256", "start", "length", "outcome", "code"),
    "request_id",
)


def download_form(row: Row) -> dict[str, Any]:
    """A row of the ledger as it is hashed."""
    return {"log": "download", **dict(zip(SEALED, row, strict=True)), "at": moment(row[1])}


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
    """Write that `length` bytes of `file` from `start` on are about to leave."""
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


def record_refusal(
    caller: Caller, decision: Decision, repo_id: str, revision: str, path: str
) -> None:
    """Write that a known caller was refused, with the names as asked; of others, count the rule.

    A name that leads nowhere is no refusal: clients ask for many files that a checkpoint
    may lack. Whoever is refused without end is counted like a stranger: a scan must not fill
    the disk with rows that nobody may delete.
    """
    if decision.code is None:
        return
    if caller.user is None:
        tallies.add(_STRANGERS, str(decision.code))
        return
    if not buckets.take(REFUSALS, str(caller.user.pk)).allowed:
        tallies.add(_TOO_MANY, str(decision.code))
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


def tell_refusals() -> None:
    """Write into the trail how many refusals were only counted, by their rule.

    Called once an hour. A process killed just here loses the counts of that hour.
    """
    for tally, action in _TOLD_AS.items():
        if counted := tallies.drain(tally):
            AuditEvent.record(action, result="refused", details=counted)


def forget_networks(now: datetime) -> int:
    """Blank the networks of 90 days ago; how many."""
    old = Download.objects.filter(at__lt=now - NETWORKS_KEPT).exclude(network="")
    return old.update(network="")


def _write(caller: Caller, **facts: object) -> None:
    request = request_context.current()
    Download.objects.create(
        user_id=caller.user.pk if caller.user else None,
        credential_kind=caller.kind,
        credential_id=caller.credential_id,
        request_id=request.request_id,
        network=request.network,
        **facts,
    )


def _clip(name: str, most: int) -> str:
    """A name as asked, in one line, cut to its column; hidden characters as escapes."""
    return sanitize.log_line(name)[:most]
