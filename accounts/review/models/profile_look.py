"""The result of opening the profile page of an applicant."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F, Q


class ProfileLookManager(models.Manager["ProfileLook"]):
    def claim(self, snapshot_id: int, now: datetime) -> "ProfileLook | None":
        """Start the next attempt for this snapshot; None if none is due.

        An attempt is counted before it runs, so that a page that kills the worker is not retried
        forever.
        """
        look, _ = self.get_or_create(snapshot_id=snapshot_id)
        due = self.filter(ProfileLook.due(now), pk=look.pk)
        return look if due.update(tries=F("tries") + 1, looked_at=now) else None


class ProfileLook(models.Model):
    """The last attempt to open the profile page of a snapshot, and the number of attempts."""

    class Outcome(models.TextChoices):
        ANSWERS = "answers", "Answers"
        GONE = "gone", "No such page"
        REFUSES = "refuses", "Refuses programs"
        SILENT = "silent", "No answer"
        INSIDE = "inside", "Not a public address"

    #: Attempts for a page that does not answer, and the time between two attempts.
    TRIES, BETWEEN = 3, timedelta(hours=1)

    snapshot = models.OneToOneField(
        "accounts.ApplicationSnapshot", models.CASCADE, related_name="profile_look"
    )
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True, help_text="HTTP status")
    tries = models.PositiveSmallIntegerField(default=0)
    looked_at = models.DateTimeField(null=True, blank=True)

    objects = ProfileLookManager()

    def __str__(self) -> str:
        return f"{self.snapshot_id}: {self.outcome or 'not requested'}"

    @classmethod
    def due(cls, now: datetime, prefix: str = "") -> Q:
        """Return the condition for pages never opened, or due for another attempt."""
        again = Q(
            **{
                f"{prefix}outcome__in": ["", cls.Outcome.SILENT],
                f"{prefix}tries__lt": cls.TRIES,
                f"{prefix}looked_at__lte": now - cls.BETWEEN,
            }
        )
        return again | Q(**{f"{prefix}looked_at": None})

    @property
    def is_settled(self) -> bool:
        """True if no further attempt follows."""
        return self.outcome not in ("", self.Outcome.SILENT) or self.tries >= self.TRIES
