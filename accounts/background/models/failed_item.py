"""Rows whose background work failed, with exponential backoff."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone


class FailedItemQuerySet(models.QuerySet["FailedItem"]):
    def failing(self) -> "FailedItemQuerySet":
        """Return items with an error or whose worker died repeatedly, but not running ones."""
        return self.filter(~models.Q(last_error="") | models.Q(attempts__gte=3))

    def postponed(self, step: str) -> "models.QuerySet[Any, int]":
        """Return the ids of items that the step does not retry yet."""
        waiting = self.filter(step=step, next_attempt_at__gt=timezone.now())
        return waiting.values_list("item", flat=True)

    def begin(self, step: str, item: int) -> bool:
        """Count an attempt before it starts. Returns False while the item is postponed."""
        now = timezone.now()
        row, is_new = self.get_or_create(
            step=step, item=item, defaults={"next_attempt_at": now + _wait(1)}
        )
        if is_new:
            return True
        due = self.filter(pk=row.pk, attempts=row.attempts, next_attempt_at__lte=now)
        attempts = row.attempts + 1
        return bool(due.update(attempts=attempts, next_attempt_at=now + _wait(attempts)))

    def fail(self, step: str, item: int, error: str) -> None:
        """Store the error of the last attempt."""
        self.filter(step=step, item=item).update(last_error=error)

    def succeed(self, step: str, item: int) -> None:
        self.filter(step=step, item=item).delete()

    def forget_abandoned(self, now: datetime) -> int:
        """Delete items that no step still retries: done or deleted ones. Returns how many."""
        return self.filter(next_attempt_at__lt=now - FailedItem.ABANDONED).delete()[0]


class FailedItem(models.Model):
    """A row whose work failed in a step or is running in a task; deleted on success.

    Retries continue at least hourly, so an item recovers once the cause is fixed.
    """

    #: Attempts after which the health page shows an alarm instead of a warning.
    MAX_ATTEMPTS = 8
    FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
    ABANDONED = timedelta(hours=2)

    step = models.CharField(max_length=60)
    item = models.BigIntegerField(help_text="Primary key")
    attempts = models.PositiveIntegerField(default=1)
    since = models.DateTimeField(default=timezone.now)
    next_attempt_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)

    objects = FailedItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "item"], name="an_item_fails_once_per_step")
        ]
        indexes = [models.Index(fields=["next_attempt_at"], name="failed_item_by_due")]

    def __str__(self) -> str:
        return f"{self.step} of row {self.item}"


def _wait(attempts: int) -> timedelta:
    wait: timedelta = FailedItem.FIRST_WAIT * 2 ** min(attempts - 1, 16)
    return min(wait, FailedItem.LONGEST_WAIT)
