"""A reviewer's verdict, and its effects: state, decision, grant and mail in one transaction."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.applications import messages
from accounts.applications.models import Application
from accounts.applications.workflow.conversation import add_remark
from accounts.applications.workflow.eligibility import days_to_wait
from accounts.errors import InvalidValue, TransitionRefused
from accounts.grants import lifecycle
from accounts.grants.models import Grant
from accounts.release_interface import releases
from accounts.review import working_days
from accounts.review.models import Decision
from accounts.review.reasons import validate_reasons
from accounts.tiers.models import LicenceVersion
from accounts.users.models import User


@dataclass(frozen=True)
class Verdict:
    """The reviewer's part of a decision; `name` is the transition: approve, reject or return."""

    name: str
    reasons: list[str]
    note: str
    internal_note: str
    checklist: dict[str, str]
    #: When the access of an approval ends.
    until: datetime | None = None
    #: Field -> the requested change, when returning.
    remarks: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"until": self.until.isoformat() if self.until else None}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Verdict":
        until = parse_datetime(stored["until"]) if stored["until"] else None
        return cls(**stored | {"until": until})


def validate(application: Application, verdict: Verdict) -> None:
    """Raise InvalidValue or TransitionRefused for a verdict that could not take effect."""
    validate_reasons(verdict.name, verdict.reasons, verdict.note)
    if application.latest_snapshot is None and not application.is_reopened:
        raise TransitionRefused(f"{application.reference} was never submitted")
    for key in verdict.remarks:
        if key not in application.form.labels():
            raise InvalidValue(f"the form has no field {key!r}")


def apply(application: Application, verdict: Verdict, *, by: User) -> Decision:
    """Apply a verdict and mail the applicant."""
    if verdict.name == "approve":
        return _approve(application, verdict, by)
    if verdict.name == "reject":
        decision = record(application, verdict, by=by, decided_at=timezone.now(), due_on=None)
        messages.application_rejected(application, decision)
        return decision
    return _return(application, verdict, by)


def record(
    application: Application, verdict: Verdict, *, by: User, name: str = "", **changes: Any
) -> Decision:
    """Make the transition `name`, by default the verdict's, and store the decision."""
    validate(application, verdict)
    name = name or verdict.name
    if application.answered_at is None and name != "approve_first":
        changes["answered_at"] = timezone.now()
    application.transition(name, by=by, details={"reasons": verdict.reasons}, **changes)
    return application.decisions.create(
        snapshot=application.latest_snapshot,
        reviewer=by,
        verdict=verdict.name,
        reasons=verdict.reasons,
        note=verdict.note,
        internal_note=verdict.internal_note,
        checklist=verdict.checklist,
        until=verdict.until,
        waiting_days=days_to_wait(application, verdict.reasons) if name == "reject" else None,
    )


def _approve(application: Application, verdict: Verdict, by: User) -> Decision:
    if verdict.until is None:
        raise ValueError(f"the approval of {application.reference} has no end date")
    decision = record(application, verdict, by=by, decided_at=timezone.now(), due_on=None)
    grant = lifecycle.create(
        application.applicant,
        application.tier,
        licence_version=_accepted_licence(application),
        until=verdict.until,
        origin=Grant.Origin.APPLICATION,
        by=by,
        application=application,
    )
    messages.application_approved(application, decision)
    releases().issue_links(grant)
    return decision


def _return(application: Application, verdict: Verdict, by: User) -> Decision:
    now = timezone.now()
    clock: dict[str, Any] = {"returned_at": now, "due_on": None, "first_approval": None}
    if application.due_on is not None:
        clock["days_left"] = working_days.between(working_days.utc_date(now), application.due_on)
    decision = record(application, verdict, by=by, **clock)
    for key, text in verdict.remarks.items():
        add_remark(application, text, by=by, field=key, public=True, decision=decision)
    messages.application_returned(application, decision, verdict.remarks)
    return decision


def _accepted_licence(application: Application) -> LicenceVersion:
    """Return the text accepted with the newest snapshot, or the text in force if there is none."""
    snapshot = application.latest_snapshot
    if snapshot is not None:
        return snapshot.licence_version
    version = application.tier.licence_in_force()
    if version is None:
        raise InvalidValue(f"the licence {application.tier.licence} has no version in force")
    return version
