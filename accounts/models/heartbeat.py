"""When the sweeps last came through, for the health page."""

from typing import Any

from django.db import models
from django.utils import timezone


class HeartbeatManager(models.Manager["Heartbeat"]):
    def note(self, name: str, details: dict[str, Any] | None = None) -> None:
        """Write that the sweep of this name has just ended."""
        facts = {"at": timezone.now(), "details": details or {}}
        self.update_or_create(name=name, defaults=facts)


class Heartbeat(models.Model):
    """One row a sweep, written each time it ends."""

    name = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField()
    details = models.JSONField(default=dict)

    objects = HeartbeatManager()

    def __str__(self) -> str:
        return f"{self.name} at {self.at:%Y-%m-%d %H:%M:%S}"
