"""The application's state machine as one table: plain Python, no records.

application-workflow.md section 3. A state changes by one of these moves or not at all.
"""

from dataclasses import dataclass

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
#: Nothing leads out of these.
TERMINAL_STATES = frozenset(
    {Status.APPROVED, Status.REJECTED, Status.WITHDRAWN, Status.LAPSED},
)


@dataclass(frozen=True)
class Move:
    """One action: the states it leaves and the state it reaches."""

    leaves: frozenset[Status]
    reaches: Status


MOVES: dict[str, Move] = {
    "submit": Move(frozenset({Status.DRAFT}), Status.SUBMITTED),
    "claim": Move(frozenset({Status.SUBMITTED}), Status.IN_REVIEW),
    "release": Move(frozenset({Status.IN_REVIEW}), Status.SUBMITTED),
    "withdraw": Move(frozenset({Status.SUBMITTED, Status.IN_REVIEW}), Status.WITHDRAWN),
    "return": Move(frozenset({Status.IN_REVIEW}), Status.RETURNED),
    "resubmit": Move(frozenset({Status.RETURNED}), Status.SUBMITTED),
    "approve": Move(frozenset({Status.IN_REVIEW}), Status.APPROVED),
    "reject": Move(frozenset({Status.IN_REVIEW}), Status.REJECTED),
    "lapse": Move(frozenset({Status.DRAFT, Status.RETURNED}), Status.LAPSED),
}
