"""Download plans: all files of a revision with their signed URLs, and the estimated duration."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.audit.models import AuditEvent
from weights import gate
from weights.delivery import links
from weights.event_tags import WeightsEvent
from weights.gate import rules
from weights.gate.caller import Caller
from weights.publishing.models import Revision


@dataclass(frozen=True)
class DownloadPlan:
    """The files of a revision as `links.make_plan` lists them; sizes in bytes.

    A file that is not served has the gate's `code` instead of `url` and `expires`. `seconds` is
    None without a rate.
    """

    revision: Revision
    files: list[dict[str, Any]]
    total_bytes: int
    seconds: int | None


def download_plan(
    caller: Caller, repo_id: str, name: str, rate: int | None, now: datetime
) -> DownloadPlan:
    """Returns the plan for a caller who may fetch the revision; `rate` is in bytes per second.

    Checks access once for the revision and the state of each file. Raises GateRefused. Records
    the plan of an authenticated caller, because each URL opens a file.
    """
    decision = gate.may_fetch_revision(caller, repo_id, name, now)
    decision.demand_allowed()
    revision, grant = decision.revision, decision.grant
    assert revision is not None  # an allowed decision about a revision names it
    ends = now + timedelta(seconds=settings.FILE_LINK_LIFETIME_MOST)
    files = list(revision.files.select_related("blob"))
    plan = links.make_plan(revision, files, grant, min(ends, grant.expires_at) if grant else ends)
    for file, entry in zip(files, plan, strict=True):
        if (code := rules.blob(file.blob.state)) is not None:
            entry |= {"url": None, "expires": None, "code": str(code)}
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
