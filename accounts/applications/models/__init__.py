"""A person's request for a reviewed tier, and the moves it makes.

One file for each who moves it: the applicant, the reviewers, and nobody's hand.
"""

from django.db import models

from accounts.applications.models.applicant import ApplicantMoves
from accounts.applications.models.conversation import ConversationMoves
from accounts.applications.models.queryset import ApplicationQuerySet
from accounts.applications.models.record import Kind
from accounts.applications.models.snapshot import ApplicationSnapshot
from accounts.applications.models.system import SystemMoves

__all__ = ["Application", "ApplicationQuerySet", "ApplicationSnapshot"]


class Application(ApplicantMoves, ConversationMoves, SystemMoves):
    """One ask by one person for one reviewed tier. Applications are history; grants are rights."""

    Kind = Kind

    class Meta:
        ordering = ["submitted_at", "pk"]
        permissions = [("review_application", "Can claim and decide applications")]
        constraints = [
            models.UniqueConstraint(
                fields=["applicant", "tier"],
                condition=models.Q(status__in=["submitted", "in_review", "returned"]),
                name="one_open_application_per_tier",
            ),
            models.UniqueConstraint(
                fields=["applicant", "tier"],
                condition=models.Q(status="draft"),
                name="one_draft_per_tier",
            ),
        ]
        indexes = [
            models.Index(fields=["status", "submitted_at"], name="application_queue"),
            models.Index(fields=["status", "due_on"], name="application_due"),
            models.Index(fields=["tier", "answered_at"], name="application_answers"),
        ]
