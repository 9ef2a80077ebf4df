"""What fetching a whole revision takes: every file with its own address, and the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.audit.models import AuditEvent
from weights import gate
from weights.delivery import links
from weights.errors import GateRefused
from weights.gate.caller import Caller
from weights.gate.refusals import Refusal
from weights.publishing.models import Revision
from weights.storage.models import Blob


@dataclass(frozen=True)
class DownloadPlan:
    """The files of a revision as `links.make_plan` lists them; `seconds` at the asked rate.

    A file that is not served has neither `url` nor `expires`, but the gate's `code`.
    """

    revision: Revision
    files: list[dict[str, Any]]
    seconds: int | None


def download_plan(
    caller: Caller, repo_id: str, name: str, rate: int | None, now: datetime
) -> DownloadPlan:
    """The plan for whoever the gate lets through; `rate` is bytes a second.

    Raises GateRefused. Recorded for a known caller, since every address in it opens a file.
    """
    decision = gate.may_fetch_checkpoint(caller, repo_id, now)
    if decision.checkpoint is None or not decision.allowed:
        raise GateRefused(str(decision.code or decision.missing), decision.message)
    revision = links.demand_revision(decision.checkpoint, name)
    revision.checkpoint = decision.checkpoint  # read already, with its tier
    grant = decision.grant
    ends = now + timedelta(seconds=settings.FILE_LINK_LIFETIME_MOST)
    files = links.make_plan(revision, grant, min(ends, grant.expires_at) if grant else ends)
    _close_unserved(revision, files)
    if caller.is_known:
        AuditEvent.record(
            "download_plan.made",
            actor=caller.user,
            target=decision.checkpoint,
            credential=caller.credential,
            details={"revision": revision.sha, "files": len(files)},
        )
    seconds = -(-revision.total_bytes // rate) if rate else None
    return DownloadPlan(revision, files, seconds)


def _close_unserved(revision: Revision, files: list[dict[str, Any]]) -> None:
    """Take the address from files that the gate would refuse, and say why."""
    unserved = revision.files.exclude(blob__state=Blob.State.VERIFIED)
    states = dict(unserved.values_list("path", "blob__state"))
    for file in files:
        if (state := states.get(file["path"])) is not None:
            broken = state == Blob.State.QUARANTINED
            code = Refusal.FILE_QUARANTINED if broken else Refusal.FILE_UNVERIFIED
            file |= {"url": None, "expires": None, "code": str(code)}
