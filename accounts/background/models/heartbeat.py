"""The last run of each sweep, for the health page."""

from collections.abc import Mapping
from typing import Any

from django.db import models
from django.utils import timezone


class HeartbeatManager(models.Manager["Heartbeat"]):
    def note(self, name: str, done: Mapping[str, int], errors: Mapping[str, str]) -> None:
        """Store a sweep's result: rows changed by step, and errors by step with their start."""
        now = timezone.now()
        previous = self.filter(name=name).first()
        failing_before = previous.failing if previous else {}
        failing = {
            step: {
                "since": failing_before.get(step, {}).get("since", now.isoformat()),
                "error": error,
            }
            for step, error in errors.items()
        }
        self.write(name, {"done": dict(done), "failing": failing})

    def write(self, name: str, details: Mapping[str, Any]) -> None:
        """Store the heartbeat `name` with `details`, which must be JSON."""
        values = {"at": timezone.now(), "details": dict(details)}
        self.update_or_create(name=name, defaults=values)


class Heartbeat(models.Model):
    """The last run of a sweep: one row per sweep, updated when it ends."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)

    objects = HeartbeatManager()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def failing(self) -> dict[str, dict[str, Any]]:
        """The steps that failed in the last sweep: step -> `since` in ISO 8601, and `error`."""
        failing: dict[str, dict[str, Any]] = self.details.get("failing", {})
        return failing
