"""What staff do with a report: every move guarded, audited and put in its file."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.audit.models import AuditEvent
from accounts.errors import InvalidValue, NotAllowed, TransitionRefused
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.grants.outstanding_links import Receipt
from accounts.mail import outbox
from accounts.review.reasons import Reason
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from weights.catalogue.models import Checkpoint, KnownIssue
from weights.reports.desk import checkpoints_of, may_triage, readable_by, suspendable_by
from weights.reports.kinds import PUBLISHERS, Deed, Kind, State
from weights.reports.models import Report, ReportEntry
from weights.reports.taking import desk_path, mail_reporter

_OPEN = (State.NEW, State.TRIAGED)
#: One report may lead to several deeds: a leak to a suspension and a recall.
_ACTABLE = (*_OPEN, State.ACTED)


def offered(report: Report, by: User) -> set[str]:
    """The moves that would lead somewhere now, by the names of their functions."""
    if not may_triage(by, report):
        return set()
    moves = {"note"}
    if report.state in _OPEN:
        moves |= {"assign", "dismiss"}
    if report.state in _ACTABLE:
        moves |= {"suspend"} if suspendable_by(by, report).exists() else set()
        moves |= {"publish"} if _may_publish(report, by) else set()
        moves |= {"ask_recall"} if report.checkpoint else set()
    return moves


def _may_publish(report: Report, by: User) -> bool:
    if report.checkpoint is None:
        return checkpoints_of(by).exists()
    return RoleAssignment.objects.covers(by, PUBLISHERS, report.checkpoint.tier)


@transaction.atomic
def assign(report: Report, to: User, *, by: User) -> None:
    """Put it on somebody's desk, one's own too: it is being looked into from then on."""
    _demand(report, by)
    if not may_triage(to, report):
        raise InvalidValue(f"{to} does not triage such reports")
    _become(report, State.TRIAGED, assigned_to=to)
    _file(report, Deed.ASSIGNED, by, "")


@transaction.atomic
def note(report: Report, text: str, *, by: User) -> None:
    """Something for staff alone, also once it is closed."""
    _demand(report, by)
    if not text.strip():
        raise InvalidValue("a note needs a text")
    _file(report, Deed.NOTED, by, text.strip())


@transaction.atomic
def dismiss(report: Report, answer: str, *, by: User) -> None:
    """Close it without action; `answer` is told to whoever reported it."""
    _demand(report, by)
    if not answer.strip():
        raise InvalidValue("say why, to whoever reported it")
    _become(report, State.DISMISSED, answer=answer.strip(), closed_at=timezone.now())
    _file(report, Deed.DISMISSED, by, "")
    mail_reporter(report, "report_closed", str(report.pk))


@transaction.atomic
def suspend(
    report: Report, grant: Grant, reason: str, *, by: User, until: datetime | None = None
) -> Receipt:
    """Suspend somebody's access because of it; takes a lead reviewer of the grant's tier."""
    _demand(report, by)
    code = Reason.LEAK if report.kind == Kind.LEAK else ""
    receipt = lifecycle.suspend(grant, by=by, reason=reason, until=until, code=code)
    # The grant's id: a name would stay here when the account is erased.
    details = f"grant {grant.public_id}, {grant.tier.slug}"
    _act(report, Deed.SUSPENDED, by, "Thank you. We took action.", details)
    return receipt


@transaction.atomic
def publish(
    report: Report, kind: str, *, title: str, text: str, by: User, checkpoint: Checkpoint | None
) -> KnownIssue:
    """Publish a known issue or a finding on the checkpoint's page."""
    _demand(report, by)
    about = report.checkpoint or checkpoint
    if about is None:
        raise InvalidValue("name the checkpoint that it is about")
    if not RoleAssignment.objects.covers(by, PUBLISHERS, about.tier):
        raise NotAllowed(f"you hold no role for {about}")
    issue = KnownIssue.objects.create(
        kind=kind,
        checkpoint=about,
        path=report.path,
        title=title.strip(),
        text=text.strip(),
        report=report,
        by=by,
    )
    AuditEvent.record("issue.published", actor=by, target=issue, details={"kind": kind})
    deed = Deed.FINDING if kind == KnownIssue.Kind.FINDING else Deed.ISSUE
    _act(report, deed, by, "Thank you. It is published.", issue.title)
    return issue


@transaction.atomic
def ask_recall(report: Report, reason: str, *, by: User) -> None:
    """Tell the release owners of the checkpoint that a file should be called back."""
    _demand(report, by)
    if report.checkpoint is None:
        raise InvalidValue("the report names no checkpoint; publish a known issue instead")
    if not reason.strip():
        raise InvalidValue("say what should be called back, and why")
    answer = "Thank you. We look into calling it back."
    asked = _act(report, Deed.RECALL, by, answer, reason.strip())
    for owner in _owners_of(report.checkpoint):
        reads = readable_by(owner).filter(pk=report.pk).exists()
        outbox.send(
            "recall_asked",
            to=owner.email,
            key=f"{report.pk}:{asked.pk}:{owner.pk}",
            recipient=owner,
            about=report,
            context={
                "report": report,
                "reason": reason.strip(),
                "revisions_path": _revisions_path(report.checkpoint),
                "desk_path": desk_path(report) if reads else "",
            },
        )


@transaction.atomic
def resolve(issue: KnownIssue, *, by: User) -> None:
    """Mark a known issue as no longer so; again changes nothing."""
    _end(issue, "resolved_at", "issue.resolved", by)


@transaction.atomic
def withdraw(issue: KnownIssue, *, by: User) -> None:
    """Take a statement back: it is shown to nobody; again changes nothing."""
    _end(issue, "withdrawn_at", "issue.withdrawn", by)


# -- how a move is made --------------------------------------------------------------------------


def _demand(report: Report, by: User) -> None:
    if not may_triage(by, report):
        raise NotAllowed(f"you do not triage such reports as {report}")


def _become(
    report: Report, state: State, leaves: tuple[State, ...] = _OPEN, **changes: Any
) -> None:
    """The guard lets one of two hurried people win."""
    movable = Report.objects.filter(pk=report.pk, state__in=leaves)
    if not movable.update(state=state, **changes):
        report.refresh_from_db()
        raise TransitionRefused(f"{report} is {report.get_state_display().lower()} already")
    report.refresh_from_db()


def _owners_of(checkpoint: Checkpoint) -> QuerySet[User]:
    held = RoleAssignment.objects.filter(role=Role.RELEASE_OWNER)
    return held.for_tier(checkpoint.tier).active_staff().order_by("pk")


def _revisions_path(checkpoint: Checkpoint) -> str:
    """Where a release owner withdraws a revision and calls it back."""
    return f"/{settings.ADMIN_PATH}weights/revision/?checkpoint__id__exact={checkpoint.pk}"


def _act(report: Report, deed: Deed, by: User, answer: str, text: str) -> ReportEntry:
    """Put a deed in the file; the first one closes the report and is told to its reporter."""
    answer, closed = report.answer or answer, report.closed_at or timezone.now()
    _become(report, State.ACTED, _ACTABLE, answer=answer, closed_at=closed)
    entry = _file(report, deed, by, text)
    mail_reporter(report, "report_closed", str(report.pk))
    return entry


def _file(report: Report, deed: Deed, by: User, text: str) -> ReportEntry:
    entry = ReportEntry.objects.create(report=report, deed=deed, by=by, text=text)
    AuditEvent.record(f"report.{deed}", actor=by, target=report)
    return entry


def _end(issue: KnownIssue, field: str, action: str, by: User) -> None:
    if not RoleAssignment.objects.covers(by, PUBLISHERS, issue.checkpoint.tier):
        raise NotAllowed(f"you hold no role for {issue.checkpoint}")
    if KnownIssue.objects.filter(pk=issue.pk, **{field: None}).update(**{field: timezone.now()}):
        AuditEvent.record(action, actor=by, target=issue)
