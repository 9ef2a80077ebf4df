"""The states of an application and the table of transitions between them. Plain Python, no models.

docs/architecture.md#applications-and-review describes the workflow. The state
changes only by these transitions.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class Status(models.TextChoices):
    """The state of an application."""

    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    IN_REVIEW = "in_review", "In review"
    RETURNED = "returned", "Returned for changes"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    LAPSED = "lapsed", "Lapsed"


#: At most one of these per applicant and tier.
OPEN_STATES = frozenset({Status.SUBMITTED, Status.IN_REVIEW, Status.RETURNED})
#: Applications that wait for staff; the clock of the first decision runs.
WAITING_STATES = frozenset({Status.SUBMITTED, Status.IN_REVIEW})
#: The applicant may still change the answers.
EDITABLE_STATES = frozenset({Status.DRAFT, Status.RETURNED})
#: No transition leaves these, but `reopen`, `appeal` and `copy` start a new application from them.
TERMINAL_STATES = frozenset({Status.APPROVED, Status.REJECTED, Status.WITHDRAWN, Status.LAPSED})


class Actor(StrEnum):
    """A person's role for one application; a person can have several."""

    MEMBER = "member"
    APPLICANT = "applicant"
    #: Decides applications of this tier, is not the applicant and declared no conflict.
    REVIEWER = "reviewer"
    #: The reviewer who has claimed it.
    CLAIMER = "claimer"
    #: The reviewer whose decision has not taken effect yet.
    DECIDER = "decider"
    #: A reviewer other than the first approver, while a second approval is awaited.
    SECOND = "second approver"
    LEAD = "lead reviewer"
    #: Sweeps, which act for no person.
    SYSTEM = "system"


@dataclass(frozen=True)
class Transition:
    """The states that a transition leaves, the state it reaches, and who may make it.

    `begins` marks transitions that create a new application and leave the old one unchanged.
    """

    leaves: frozenset[Status]
    reaches: Status
    by: frozenset[Actor]
    begins: bool = False


def _transition(
    leaves: set[Status], reaches: Status, *by: Actor, begins: bool = False
) -> Transition:
    return Transition(frozenset(leaves), reaches, frozenset(by), begins)


TRANSITIONS: dict[str, Transition] = {
    "start": _transition(set(), Status.DRAFT, Actor.MEMBER, begins=True),
    "submit": _transition({Status.DRAFT}, Status.SUBMITTED, Actor.APPLICANT),
    "claim": _transition({Status.SUBMITTED}, Status.IN_REVIEW, Actor.REVIEWER),
    "assign": _transition({Status.SUBMITTED, Status.IN_REVIEW}, Status.IN_REVIEW, Actor.LEAD),
    "release": _transition({Status.IN_REVIEW}, Status.SUBMITTED, Actor.CLAIMER, Actor.SYSTEM),
    "withdraw": _transition(
        {Status.SUBMITTED, Status.IN_REVIEW}, Status.WITHDRAWN, Actor.APPLICANT
    ),
    # The verdict takes effect later, so that its reviewer can undo it.
    "decide": _transition({Status.IN_REVIEW}, Status.IN_REVIEW, Actor.CLAIMER, Actor.SECOND),
    "undo": _transition({Status.IN_REVIEW}, Status.IN_REVIEW, Actor.DECIDER),
    "return": _transition({Status.IN_REVIEW}, Status.RETURNED, Actor.CLAIMER),
    "resubmit": _transition({Status.RETURNED}, Status.SUBMITTED, Actor.APPLICANT),
    "lapse": _transition({Status.DRAFT, Status.RETURNED}, Status.LAPSED, Actor.SYSTEM),
    # On a tier that needs two approvals the first one leaves the application in review.
    "approve_first": _transition({Status.IN_REVIEW}, Status.IN_REVIEW, Actor.CLAIMER),
    "approve": _transition({Status.IN_REVIEW}, Status.APPROVED, Actor.CLAIMER, Actor.SECOND),
    "reject": _transition({Status.IN_REVIEW}, Status.REJECTED, Actor.CLAIMER, Actor.SECOND),
    "reopen": _transition(
        {Status.APPROVED, Status.REJECTED, Status.WITHDRAWN},
        Status.SUBMITTED,
        Actor.LEAD,
        begins=True,
    ),
    "appeal": _transition({Status.REJECTED}, Status.SUBMITTED, Actor.APPLICANT, begins=True),
    "copy": _transition(set(TERMINAL_STATES), Status.DRAFT, Actor.APPLICANT, begins=True),
}
