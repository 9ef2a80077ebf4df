"""Triage of reports: every action is permission-checked, audited and listed on the report."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
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
from weights.catalogue.models import Checkpoint
from weights.event_tags import WeightsEvent
from weights.known_issues import services as known_issues
from weights.known_issues.models import KnownIssue
from weights.known_issues.services import PUBLISHERS
from weights.reports.choices import Deed, Kind, State
from weights.reports.models import Report, ReportEntry
from weights.reports.permissions import checkpoints_of, may_triage, readable_by, suspendable_by
from weights.reports.submission import admin_path, mail_reporter

_OPEN = (State.NEW, State.TRIAGED)
#: A report may lead to several actions: a leak to a suspension and a recall.
_ACTABLE = (*_OPEN, State.ACTED)


def available_actions(report: Report, by: User) -> set[str]:
    """The names of the functions below that the user may call on the report now."""
    if not may_triage(by, report):
        return set()
    actions = {"note"}
    if report.state in _OPEN:
        actions |= {"assign", "dismiss"}
    if report.state in _ACTABLE:
        actions |= {"suspend"} if suspendable_by(by, report).exists() else set()
        actions |= {"publish"} if _may_publish(report, by) else set()
        actions |= {"ask_recall"} if report.checkpoint else set()
    return actions


def _may_publish(report: Report, by: User) -> bool:
    if report.checkpoint is None:
        return checkpoints_of(by).exists()
    return RoleAssignment.objects.covers(by, PUBLISHERS, report.checkpoint.tier)


@transaction.atomic
def assign(report: Report, to: User, *, by: User) -> None:
    """Assigns the report to a triager, possibly oneself, and marks it as triaged."""
    _require_triager(report, by)
    if not may_triage(to, report):
        raise InvalidValue(f"{to} may not triage this report")
    _transition(report, State.TRIAGED, assigned_to=to)
    _record(report, Deed.ASSIGNED, by, "")


@transaction.atomic
def note(report: Report, text: str, *, by: User) -> None:
    """Adds an internal note; closed reports accept notes too."""
    _require_triager(report, by)
    if not text.strip():
        raise InvalidValue("enter the text of the note")
    _record(report, Deed.NOTED, by, text.strip())


@transaction.atomic
def dismiss(report: Report, answer: str, *, by: User) -> None:
    """Closes the report without action; `answer` is sent to the reporter."""
    _require_triager(report, by)
    if not answer.strip():
        raise InvalidValue("enter an answer to the reporter")
    _transition(report, State.DISMISSED, answer=answer.strip(), closed_at=timezone.now())
    _record(report, Deed.DISMISSED, by, "")
    mail_reporter(report, "report_closed", str(report.pk))


@transaction.atomic
def suspend(
    report: Report, grant: Grant, reason: str, *, by: User, until: datetime | None = None
) -> Receipt:
    """Suspends a grant because of the report; requires a lead reviewer of the grant's tier."""
    _require_triager(report, by)
    code = Reason.LEAK if report.kind == Kind.LEAK else ""
    receipt = lifecycle.suspend(grant, by=by, reason=reason, until=until, code=code)
    # The grant's id, since a name would outlive the erasure of the account.
    details = f"grant {grant.public_id}, {grant.tier.slug}"
    _act(report, Deed.SUSPENDED, by, "Thank you. We took action.", details)
    return receipt


@transaction.atomic
def publish(
    report: Report, kind: str, *, title: str, text: str, by: User, checkpoint: Checkpoint | None
) -> KnownIssue:
    """Publishes a known issue or a finding on the checkpoint's page."""
    _require_triager(report, by)
    subject = report.checkpoint or checkpoint
    if subject is None:
        raise InvalidValue("choose the checkpoint that the report concerns")
    issue = known_issues.publish(subject, kind, title=title, text=text, by=by, report=report)
    deed = Deed.FINDING if kind == KnownIssue.Kind.FINDING else Deed.ISSUE
    _act(report, deed, by, "Thank you. It is published.", issue.title)
    return issue


@transaction.atomic
def ask_recall(report: Report, reason: str, *, by: User) -> None:
    """Asks the checkpoint's release owners by mail to recall a file."""
    _require_triager(report, by)
    if report.checkpoint is None:
        raise InvalidValue("the report names no checkpoint; publish a known issue instead")
    if not reason.strip():
        raise InvalidValue("describe what should be recalled, and why")
    answer = "Thank you. We are considering a recall."
    entry = _act(report, Deed.RECALL, by, answer, reason.strip())
    for owner in _owners_of(report.checkpoint):
        may_read = readable_by(owner).filter(pk=report.pk).exists()
        outbox.send(
            "recall_asked",
            key=f"{report.pk}:{entry.pk}:{owner.pk}",
            recipient=owner,
            about=report,
            context={
                "report": report,
                "reason": reason.strip(),
                "revisions_path": _revisions_path(report.checkpoint),
                "desk_path": admin_path(report) if may_read else "",
            },
        )


# -- shared steps ---------------------------------------------------------------------------------


def _require_triager(report: Report, by: User) -> None:
    if not may_triage(by, report):
        raise NotAllowed(f"you may not triage {report}")


def _transition(
    report: Report, state: State, sources: tuple[State, ...] = _OPEN, **changes: Any
) -> None:
    """Changes the state in a guarded update, so that one of two concurrent calls fails."""
    allowed = Report.objects.filter(pk=report.pk, state__in=sources)
    if not allowed.update(state=state, **changes):
        report.refresh_from_db()
        raise TransitionRefused(f"{report} is already {report.get_state_display().lower()}")
    report.refresh_from_db()


def _owners_of(checkpoint: Checkpoint) -> QuerySet[User]:
    owners = RoleAssignment.objects.filter(role=Role.RELEASE_OWNER)
    return owners.for_tier(checkpoint.tier).active_staff().order_by("pk")


def _revisions_path(checkpoint: Checkpoint) -> str:
    """The admin list in which a release owner withdraws and recalls revisions."""
    changelist = reverse("admin:weights_revision_changelist")
    return f"{changelist}?checkpoint__id__exact={checkpoint.pk}"


def _act(report: Report, deed: Deed, by: User, answer: str, text: str) -> ReportEntry:
    """Records an action; the first one closes the report and is mailed to the reporter."""
    answer, closed = report.answer or answer, report.closed_at or timezone.now()
    _transition(report, State.ACTED, _ACTABLE, answer=answer, closed_at=closed)
    entry = _record(report, deed, by, text)
    mail_reporter(report, "report_closed", str(report.pk))
    return entry


def _record(report: Report, deed: Deed, by: User, text: str) -> ReportEntry:
    entry = ReportEntry.objects.create(report=report, deed=deed, by=by, text=text)
    AuditEvent.record(WeightsEvent(f"report.{deed}"), actor=by, target=report)
    return entry
