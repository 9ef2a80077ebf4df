"""Download plans: all files of a revision with their signed URLs, and the estimated duration."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.audit.models import AuditEvent
from weights import gate
from weights.delivery import file_links
from weights.event_tags import WeightsEvent
from weights.gate import rules
from weights.gate.caller import Caller
from weights.publishing.models import File, Revision


@dataclass(frozen=True)
class DownloadPlan:
    """The files of a revision with path, size in bytes, SHA-256, signed `url` and its `expires`.

    A file that is not served has the gate's `code` instead of `url` and `expires`. `seconds` is
    None if no rate is given.
    """

    revision: Revision
    files: list[dict[str, Any]]
    total_bytes: int
    seconds: int | None


def download_plan(
    caller: Caller, repo_id: str, name: str, rate: int | None, now: datetime
) -> DownloadPlan:
    """Returns the plan for a caller who may fetch the revision; `rate` is in bytes per second.

    Checks access once for the revision, and the state of each file. Raises GateRefused. Records the
    plan of an authenticated caller in the audit trail, because each URL gives access to a file.
    """
    decision = gate.may_fetch_revision(caller, repo_id, name, now)
    decision.demand_published(name)
    revision, grant = decision.revision, decision.grant
    assert revision is not None  # an allowed decision about a revision names it
    files = list(revision.files.select_related("blob"))
    addresses = file_links.Addresses(revision, grant, caller)
    minutes = revision.checkpoint.tier.file_link_minutes
    limits = file_links.ends_of(grant, caller)
    plan = [
        _entry(file, addresses, file_links.expiry(file.size, minutes, now, *limits))
        for file in files
    ]
    if caller.is_known:
        AuditEvent.record(
            WeightsEvent.DOWNLOAD_PLAN_MADE,
            actor=caller.user,
            target=decision.checkpoint,
            credential=caller.credential,
            details={"revision": revision.sha, "files": len(files)},
        )
    total = sum(file.size for file in files)
    return DownloadPlan(revision, plan, total, -(-total // rate) if rate else None)


def _entry(file: File, addresses: file_links.Addresses, expires: datetime) -> dict[str, Any]:
    """The file with its URL, or with the gate's code if it is not served."""
    entry = {"path": file.path, "size": file.size, "sha256": file.sha256}
    if (code := rules.blob(file.blob.state)) is not None:
        return entry | {"url": None, "expires": None, "code": str(code)}
    address = addresses.of(file, int(expires.timestamp()))
    return entry | {"url": address, "expires": expires.isoformat()}
