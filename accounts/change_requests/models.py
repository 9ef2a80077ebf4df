"""Requests for changes that open a gate further, with their outcome."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone

from accounts.errors import TransitionRefused

if TYPE_CHECKING:
    from accounts.users.models import User

MAX_REASON_LENGTH = 500


class ChangeRequestQuerySet(models.QuerySet["ChangeRequest"]):
    def waiting(self, now: datetime | None = None) -> "ChangeRequestQuerySet":
        """Return requests that can still be confirmed: undecided and not past their end."""
        return self.filter(state=ChangeRequest.State.WAITING, expires_at__gt=now or timezone.now())

    def due_to_expire(self, now: datetime) -> "ChangeRequestQuerySet":
        """Return undecided requests whose end has passed."""
        return self.filter(state=ChangeRequest.State.WAITING, expires_at__lte=now)


class ChangeRequest(models.Model):
    """One act that a person requested and that another person must confirm.

    `act` names an act of `accounts.change_requests.acts`, which reads `parameters`. They contain
    ids and values, never names of people, so erasing a person changes no request.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        CONFIRMED = "confirmed", "Confirmed"
        DECLINED = "declined", "Declined"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"
        SUPERSEDED = "superseded", "Superseded"

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    act = models.CharField(max_length=40)
    #: The tiers whose gates the act opens further; none if it concerns every tier.
    tiers = models.ManyToManyField("accounts.Tier", blank=True, related_name="change_requests")
    all_tiers = models.BooleanField("Every tier", default=False)
    object_kind = models.CharField(max_length=60)
    object_id = models.CharField(max_length=64)
    parameters = models.JSONField(default=dict)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="change_requests"
    )
    reason = models.CharField(max_length=MAX_REASON_LENGTH)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    #: The reason of the person who decided, or why the request was superseded.
    outcome = models.CharField(max_length=MAX_REASON_LENGTH, blank=True)

    objects = ChangeRequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="change_request_ends"),
            models.Index(fields=["object_kind", "object_id"], name="change_request_by_object"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(state="confirmed")
                | (
                    models.Q(decided_by__isnull=False) & ~models.Q(decided_by=models.F("requester"))
                ),
                name="a_second_person_confirms_a_change_request",
            ),
            models.CheckConstraint(
                condition=~models.Q(reason=""), name="a_change_request_has_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"Change request {str(self.public_id)[:8]}"

    @property
    def path(self) -> str:
        """The path of its page in the admin."""
        return reverse("admin:accounts_changerequest_change", args=[self.pk])

    @property
    def is_waiting(self) -> bool:
        return self.state == self.State.WAITING and self.expires_at > timezone.now()

    def close(
        self, allowed: ChangeRequestQuerySet, state: str, by: "User | None", outcome: str
    ) -> None:
        """Set the final state if the row is in `allowed`; of two concurrent calls one succeeds.

        No other code changes the state. Raises TransitionRefused.
        """
        changes: dict[str, Any] = {
            "state": state,
            "decided_by": by,
            "decided_at": timezone.now(),
            "outcome": outcome[:MAX_REASON_LENGTH],
        }
        if not allowed.filter(pk=self.pk).update(**changes):
            self.refresh_from_db()
            state = self.get_state_display().lower()
            ended = "its seven days have passed" if self.state == self.State.WAITING else state
            raise TransitionRefused(f"this request no longer waits: {ended}")
        for field, value in changes.items():
            setattr(self, field, value)
