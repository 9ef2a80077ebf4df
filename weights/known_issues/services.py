"""Publish, resolve and withdraw known issues; each change is permission-checked and audited."""

from django.db import transaction
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.known_issues.models import KnownIssue
from weights.publishing.models import File
from weights.reports.models import Report

#: Roles that publish and withdraw known issues in their tiers.
PUBLISHERS = frozenset({Role.RELEASE_OWNER, Role.LEAD_REVIEWER})


@transaction.atomic
def publish(
    checkpoint: Checkpoint,
    kind: str,
    *,
    title: str,
    text: str,
    by: User,
    report: Report | None = None,
    path: str = "",
) -> KnownIssue:
    """Publish an issue or a finding about a checkpoint, or about its file at `path`.

    The path defaults to that of the report that led to it, if any. Raises NotAllowed, and
    InvalidValue for a path that no revision of the checkpoint has.
    """
    _require_publisher(checkpoint, by)
    path = report.path if report else path.strip()
    files = File.objects.shown().filter(revision__checkpoint=checkpoint, path=path)
    if path and report is None and not files.exists():
        raise InvalidValue(f"{checkpoint} has no file {path}; leave the path empty for all files")
    issue = KnownIssue.objects.create(
        kind=kind,
        checkpoint=checkpoint,
        path=path,
        title=title.strip(),
        text=text.strip(),
        report=report,
        by=by,
    )
    AuditEvent.record(WeightsEvent.ISSUE_PUBLISHED, actor=by, target=issue, details={"kind": kind})
    return issue


@transaction.atomic
def resolve(issue: KnownIssue, *, by: User) -> None:
    """Mark an issue as resolved; repeating it changes nothing. Raises NotAllowed."""
    _end(issue, "resolved_at", WeightsEvent.ISSUE_RESOLVED, by)


@transaction.atomic
def withdraw(issue: KnownIssue, *, by: User) -> None:
    """Withdraw an issue, which hides it; repeating it changes nothing. Raises NotAllowed."""
    _end(issue, "withdrawn_at", WeightsEvent.ISSUE_WITHDRAWN, by)


def _require_publisher(checkpoint: Checkpoint, by: User) -> None:
    if not RoleAssignment.objects.covers(by, PUBLISHERS, checkpoint.tier):
        raise NotAllowed(f"you have no role for {checkpoint}")


def _end(issue: KnownIssue, field: str, event: WeightsEvent, by: User) -> None:
    _require_publisher(issue.checkpoint, by)
    if KnownIssue.objects.filter(pk=issue.pk, **{field: None}).update(**{field: timezone.now()}):
        AuditEvent.record(event, actor=by, target=issue)
