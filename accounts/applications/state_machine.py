"""The application's state machine as one table: plain Python, no records.

docs/architecture.md describes the workflow. A state changes by one of these moves or not at all.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.db import models


class Status(models.TextChoices):
    """Where an application stands."""

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
#: What staff have on their desk: the clock of the first decision runs.
WAITING_STATES = frozenset({Status.SUBMITTED, Status.IN_REVIEW})
#: What the applicant may still change.
EDITABLE_STATES = frozenset({Status.DRAFT, Status.RETURNED})
#: Nothing leads out of these.
TERMINAL_STATES = frozenset(
    {Status.APPROVED, Status.REJECTED, Status.WITHDRAWN, Status.LAPSED},
)


class Actor(StrEnum):
    """What a person is to one application; somebody can be several at once."""

    MEMBER = "member"
    APPLICANT = "applicant"
    #: Decides applications of this tier, is not the applicant and declared no conflict.
    REVIEWER = "reviewer"
    #: The reviewer who has claimed it.
    CLAIMER = "claimer"
    #: A reviewer other than the first approver, while a second approval is awaited.
    SECOND = "second approver"
    LEAD = "lead reviewer"
    #: Sweeps: nobody's hand.
    SYSTEM = "system"


@dataclass(frozen=True)
class Move:
    """One action: the states it leaves, the state it reaches, and who may make it.

    `begins` marks a move that leaves its application as it is and makes a new one.
    """

    leaves: frozenset[Status]
    reaches: Status
    by: frozenset[Actor]
    begins: bool = False


def _move(leaves: set[Status], reaches: Status, *by: Actor, begins: bool = False) -> Move:
    return Move(frozenset(leaves), reaches, frozenset(by), begins)


MOVES: dict[str, Move] = {
    "start": _move(set(), Status.DRAFT, Actor.MEMBER, begins=True),
    "submit": _move({Status.DRAFT}, Status.SUBMITTED, Actor.APPLICANT),
    "claim": _move({Status.SUBMITTED}, Status.IN_REVIEW, Actor.REVIEWER),
    "assign": _move({Status.SUBMITTED, Status.IN_REVIEW}, Status.IN_REVIEW, Actor.LEAD),
    "release": _move({Status.IN_REVIEW}, Status.SUBMITTED, Actor.CLAIMER, Actor.SYSTEM),
    "withdraw": _move({Status.SUBMITTED, Status.IN_REVIEW}, Status.WITHDRAWN, Actor.APPLICANT),
    "return": _move({Status.IN_REVIEW}, Status.RETURNED, Actor.CLAIMER),
    "resubmit": _move({Status.RETURNED}, Status.SUBMITTED, Actor.APPLICANT),
    "lapse": _move({Status.DRAFT, Status.RETURNED}, Status.LAPSED, Actor.SYSTEM),
    # On a tier that asks for two approvals the first one stays in review.
    "approve_first": _move({Status.IN_REVIEW}, Status.IN_REVIEW, Actor.CLAIMER),
    "approve": _move({Status.IN_REVIEW}, Status.APPROVED, Actor.CLAIMER, Actor.SECOND),
    "reject": _move({Status.IN_REVIEW}, Status.REJECTED, Actor.CLAIMER, Actor.SECOND),
    "reopen": _move(
        {Status.APPROVED, Status.REJECTED, Status.WITHDRAWN},
        Status.SUBMITTED,
        Actor.LEAD,
        begins=True,
    ),
    "copy": _move(set(TERMINAL_STATES), Status.DRAFT, Actor.APPLICANT, begins=True),
}
